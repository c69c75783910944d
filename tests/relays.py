"""Auth hosts and relays for tests, and links that a hostile relay would make.

    auth_host(house)                      # before house.start(): serves relays
    with Relay(directory, [house], "web1") as relay:
        relay.enroll("--services", "sshd")
        relay.start_broker()
        relay.login("anna")               # as with a House
    Link(house, relay.identity).call("account_list")
"""

import json
import os
import socket
import ssl
import struct
import subprocess
import time

import wirepy
from house import House

CALL, ANSWER, LOOK, PING, PONG = 1, 2, 3, 4, 5


def wait_for(what, ready, seconds=15):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def auth_host(house, address="127.0.0.1", port=None):
    """Lets it serve relays; before it starts."""
    house.relays_at = (address, port or free_port())
    house.conf(broker={"listen": "%s:%d" % house.relays_at})


def ctl(house, *args, code=0, stdin=""):
    p = subprocess.run([house.program("magotpctl"), "--config", house.conf_file, *args],
                       input=stdin, capture_output=True, text=True, timeout=60,
                       env=house._env())
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    return p.stdout


def hosts(house):
    return {row["host"]: row for row in json.loads(ctl(house, "--json", "host", "list"))}


class Relay(House):
    """A host at the edge: its users, its socket, nothing else. Phones are the first auth
    host's."""

    def __init__(self, directory, auths, name):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
        super().__init__(directory)
        self.auth, self.name = auths[0], name
        self.outbox, self.offset = self.auth.outbox, self.auth.offset
        self.auth.followers.append(self)
        self.identity = os.path.join(self.dir, "state", "host.pem")
        del self.sections["store"]
        self.conf(broker={"identity": self.identity,
                          "upstream": "tls://" + ",".join("%s:%d" % a.relays_at for a in auths)})

    def setup(self):
        pass

    def invite(self, *args):
        return ctl(self.auth, "host", "add", self.name, *args).strip()

    def enroll_with(self, code):
        return subprocess.run([*self.prefix, self.program("otpcored"), "--config", self.conf_file, "--enroll", "-"],
                              input=code + "\n", capture_output=True, text=True, timeout=60,
                              env=self._env())

    def enroll(self, *args):
        done = self.enroll_with(self.invite(*args))
        assert done.returncode == 0, done.stderr

    def phone(self, *_):
        raise NotImplementedError("phones are registered on the auth host")


# ---- the link by hand ----

def encode(name, values=None):
    return wirepy.encode_request(name, values)


def decode(name, frame):
    return wirepy.decode_reply(name, frame)


def frame(kind, number, body):
    return struct.pack(">IBQ", len(body) + 9, kind, number) + body


def call_frame(number, origin, request):
    row = wirepy.encode_fields(wirepy.ROWS["origin"], {"sid": -1, "loginuid": -1, "boot": "b", **origin})
    return frame(CALL, number, struct.pack(">H", len(row)) + row + request)


class Link:
    """One TLS connection to an auth host, with any certificate or none."""

    def __init__(self, house, identity, tls12=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if identity:
            context.load_cert_chain(identity)
        raw = socket.create_connection(house.relays_at, 10)
        try:
            self.socket = context.wrap_socket(raw)
        except BaseException:
            raw.close()
            raise
        self.number = 0
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)

    def _take(self, n):
        while len(self.data) < n:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the auth host ended the link")
            self.data += more
        out, self.data = self.data[:n], self.data[n:]
        return out

    def receive(self):
        """(kind, number, body)"""
        length, kind, number = struct.unpack(">IBQ", self._take(13))
        return kind, number, self._take(length - 9)

    def call(self, name, values=None, origin=None):
        self.number += 1
        self.send(call_frame(self.number, origin or {"uid": 0, "alive": 1}, encode(name, values)))
        kind, number, body = self.receive()
        assert (kind, number) == (ANSWER, self.number)
        return decode(name, body)

    def close(self):
        self.socket.close()


def plain(house, data):
    """What the port says to something that is no TLS."""
    with socket.create_connection(house.relays_at, 10) as s:
        s.settimeout(10)
        s.sendall(data)
        try:
            return s.recv(100)
        except ConnectionError:
            return None


def foreign_identity(directory):
    """A key and a certificate that says web1, by nobody that we know."""
    path = os.path.join(directory, "foreign.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", "/CN=web1", "-days", "30", "-keyout", path + ".key",
                    "-out", path + ".crt"], check=True, capture_output=True)
    with open(path, "w") as out:
        for part in (".key", ".crt"):
            out.write(open(path + part).read())
    return path
