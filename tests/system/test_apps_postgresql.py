"""PostgreSQL's pam method: backends without rights, prompts without a word of them."""

import socket
import struct
from pathlib import Path

import pytest

import apps
from host import PASSWORD, free_port, wait_for

DATA = "/var/lib/postgresql/magotp"


def programs():
    """Debian's own, whatever else is on the path."""
    return sorted(Path("/usr/lib/postgresql").iterdir(), key=lambda d: float(d.name))[-1] / "bin"


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, "[broker]\nverifiers = postgres:postgresql\n") as host:
        apps.profile(host, "postgresql")
        host.write("/etc/pam.d/postgresql-asks",
                   "auth required pam_magotp.so prompt_password password_service=magotp-file service=postgresql\n"
                   "account required pam_magotp.so service=postgresql\n")
        apps.password_file(host, "postgres")
        host.port = free_port()
        as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        host.run("install", "-d", "-o", "postgres", DATA)
        host.run(*as_postgres, programs() / "initdb", "-D", DATA, "-A", "trust", "--no-sync",
                 "--locale=C", "-E", "UTF8")
        host.write(f"{DATA}/pg_hba.conf", "local all postgres trust\n"
                   "host postgres alice 127.0.0.1/32 pam\n"
                   "host template1 alice 127.0.0.1/32 pam pamservice=postgresql-asks\n")
        server = host.daemon(*as_postgres, programs() / "postgres", "-D", DATA, "-p", host.port,
                             "-h", "127.0.0.1", "-k", DATA, "-c", "fsync=off",
                             log=host.shared / "postgres.log")
        psql = (*as_postgres, programs() / "psql", "-h", DATA, "-p", host.port, "-d", "postgres")
        wait_for("postgres", lambda: host.run(*psql, "-c", "select 1", check=False).returncode == 0)
        host.run(*psql, "-c", "create role alice login")
        yield host
        host.stop(server)
        print((host.shared / "postgres.log").read_text(errors="replace")[-3000:])


def psql(host, password):
    """A real client; who it says that it is, or ""."""
    done = host.run("env", f"PGPASSWORD={password}", programs() / "psql", "-XAtw", "-h", "127.0.0.1",
                    "-p", host.port, "-U", "alice", "-d", "postgres", "-c", "select current_user",
                    check=False)
    assert (done.returncode == 0) == (done.stdout == "alice\n"), done.stderr
    return done.stdout.strip()


class Client:
    """The few messages of a login (PostgreSQL's protocol 3.0), answering each prompt."""

    def __init__(self, port, database):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        start = struct.pack(">I", 196608) + f"user\0alice\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack(">I", len(start) + 4) + start)

    def read(self):
        head = self.exactly(5)
        return head[:1], self.exactly(struct.unpack(">I", head[1:])[0] - 4)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            got = self.socket.recv(n - len(data))
            assert got, "the server hung up"
            data += got
        return data

    def log_in(self, *answers):
        """"ok", "refused", or "asks" if it wants more answers than there are."""
        answers = list(answers)
        while True:
            kind, body = self.read()
            if kind == b"E":
                return "refused"
            assert kind == b"R", kind
            request = struct.unpack(">I", body[:4])[0]
            if request == 0:
                return "ok"
            assert request == 3, request  # the clear text of a password
            if not answers:
                return "asks"
            answer = answers.pop(0).encode() + b"\0"
            self.socket.sendall(b"p" + struct.pack(">I", len(answer) + 4) + answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def asked(host, *answers):
    with Client(host.port, "template1") as client:
        return client.log_in(*answers)


def test_psql_with_password_and_code(host):
    code = host.token.next()
    assert psql(host, f"{PASSWORD},{code}") == "alice"
    assert psql(host, f"{PASSWORD},{code}") == ""  # each backend is a process of its own


def test_psql_refused(host):
    tries = [PASSWORD, f"{PASSWORD},000000", f"wrong,{host.token.next()}"]
    assert apps.at_once(lambda typed: psql(host, typed), tries) == [""] * 3


def test_psql_code_on_request(host):
    before = len(host.messages())
    assert psql(host, f"{PASSWORD},sms") == ""
    assert psql(host, f"{PASSWORD},{host.code(host.message(after=before))}") == "alice"


def test_prompts_are_asked_of_the_client_one_by_one(host):
    assert asked(host, PASSWORD, host.token.next()) == "ok"
    assert asked(host, PASSWORD, "000000", host.token.next()) == "ok"
    assert asked(host, PASSWORD) == "asks"  # no way past the code
    assert asked(host, "wrong", host.token.next()) == "refused"


def test_one_password_for_every_prompt_is_noticed(host):
    """What libpq does: nothing is sent or charged for it."""
    before = len(host.messages())
    assert asked(host, *[PASSWORD] * 9) == "refused"
    assert len(host.messages()) == before
    assert psql(host, f"{PASSWORD},{host.token.next()}") == "alice"


def test_broker_down(host):
    with apps.broker_down(host):
        code = host.token.next()
        assert psql(host, f"{PASSWORD},{code}") == ""
        assert asked(host, PASSWORD, code) == "refused"
