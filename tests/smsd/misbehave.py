"""Web servers that misbehave, one port each: ROWS says how, and what magotp-smsd is
to make of it. Every answer repeats what was asked, and a word of its own (CANARY):
nothing of either may be told on."""

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time

from peers import Authority

CANARY = "canary-body-8841"
GOOD = '{"sid": "SM1", "error_code": null, "note": "%s"}' % CANARY
ACCEPTED, NOT_SENT, REFUSED, UNCLEAR = "accepted", "not sent", "refused", "unclear"
PIECE = b"x" * 4096


class Connection:
    """What a row speaks through; ends quietly when the other side has gone."""

    def __init__(self, peer, plain, secure, request):
        self.peer, self.plain, self.secure, self.request = peer, plain, secure, request

    def send(self, data):
        self.secure.sendall(data.encode() if isinstance(data, str) else data)

    def endless(self, data, pause=0):
        while not self.peer.gone.is_set():
            self.send(data)
            time.sleep(pause)

    def wait(self):
        self.peer.gone.wait(30)

    def reset(self):
        """RST instead of a goodbye."""
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.plain.close()

    def answer(self, status=201, body=GOOD, *headers, length=None):
        data = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} X", f"X-Echo: {CANARY}", *headers,
                 f"Content-Length: {len(data) if length is None else length}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + data)


class Peer:
    """One port. `certificate`: (file, key), None: no TLS; `early`: what it does instead of
    a handshake."""

    def __init__(self, speak, certificate=None, early=None, tls_maximum=None):
        self.speak, self.early = speak, early
        self.requests, self.gone = [], threading.Event()
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*map(str, certificate))
            if tls_maximum:
                self._context.set_ciphers("DEFAULT:@SECLEVEL=0")
                self._context.minimum_version = ssl.TLSVersion.TLSv1
                self._context.maximum_version = tls_maximum
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        # Whoever refuses our certificate or has heard enough hangs up: that is the test.
        with contextlib.suppress(OSError, ValueError), contextlib.closing(plain):
            if self.early:
                self.early(Connection(self, plain, plain, b""))
                return
            secure = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            # wrap_socket has taken the descriptor over.
            with contextlib.closing(secure):
                self.requests.append(self._read(secure))
                self.speak(Connection(self, secure, secure, self.requests[-1]))

    @staticmethod
    def _read(secure):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = secure.recv(65536)
            if not piece:
                raise ConnectionError
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += secure.recv(65536)
        return head + b"\r\n\r\n" + body

    def stop(self):
        self.gone.set()
        # A close alone does not wake the accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


# ---- answers ----

HEAD = "HTTP/1.1 201 X\r\n"


def redirect(status):
    return lambda c: c.answer(status, GOOD, f"Location: https://localhost:{c.peer.port}/elsewhere")


def body(text, status=201, *headers):
    return lambda c: c.answer(status, text, *headers)


def raw(data):
    return lambda c: c.send(data)


def then(data, what):
    def speak(c):
        c.send(data)
        what(c)
    return speak


def echo(status, text):
    """An error that repeats the whole request, letters that do things to terminals, and
    what is no letter at all."""
    def speak(c):
        said = c.request.decode(errors="replace").split("Body=")[-1]
        c.answer(status, json.dumps({"sid": "x", "error_code": 30001,
                                     "message": text + " " + said}, ensure_ascii=False))
    return speak


def bomb():
    return gzip.compress(b" " * 32_000_000)


def chunked(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def drip(data):
    def speak(c):
        for byte in data.encode():
            c.send(bytes([byte]))
            if c.peer.gone.wait(0.1):
                return
    return speak


JSON_DEEP = '{"error_code": null, "a": ' + "[" * 20000 + "]" * 20000 + "}"
EVIL = "\x1b[31mred\x07\u202e\u2028\x85 wrong number"

# name: (outcome, a part of the error, what it does, settings beyond the usual ones)
HTTP_ROWS = {
    "good": (ACCEPTED, "", body(GOOD)),
    "surplus": (ACCEPTED, "", then(f"{HEAD}Content-Length: {len(GOOD)}\r\n\r\n{GOOD}",
                                   body('{"sid": "EVIL"}'))),
    "slow-headers": (UNCLEAR, "", drip("HTTP/1.1 201 X\r\n" + "X-Slow: yes\r\n" * 100)),
    "slow-body": (UNCLEAR, "", then(f"{HEAD}Content-Length: 9999\r\n\r\n", drip(GOOD * 9))),
    "silent": (UNCLEAR, "", Connection.wait),
    "endless-body": (UNCLEAR, "longer than", then(
        HEAD + "\r\n", lambda c: c.endless(PIECE))),
    "endless-chunks": (UNCLEAR, "longer than", then(
        HEAD + "Transfer-Encoding: chunked\r\n\r\n", lambda c: c.endless(chunked(PIECE)))),
    "endless-header": (UNCLEAR, "", then(HEAD + "X-Long: ", lambda c: c.endless(PIECE))),
    "endless-headers": (UNCLEAR, "headers are longer", then(
        HEAD, lambda c: c.endless("X-More: of the same\r\n" * 100))),
    "endless-trailers": (UNCLEAR, "", then(
        HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n",
        lambda c: c.endless("X-More: of the same\r\n" * 100))),
    "storm-of-100": (UNCLEAR, "headers are longer", lambda c: c.endless(
        "HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "other-protocol": (UNCLEAR, "", raw("HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n" + GOOD)),
    "huge-length": (UNCLEAR, "", lambda c: (
        c.answer(201, GOOD, length=10**13), c.wait())),
    "absurd-length": (UNCLEAR, "size exceeded", lambda c: c.answer(201, GOOD, length="9" * 40)),
    "negative-length": (UNCLEAR, "Content-Length", lambda c: c.answer(201, GOOD, length=-1)),
    "two-lengths": (UNCLEAR, "length", lambda c: c.answer(201, GOOD, "Content-Length: 3")),
    "list-of-lengths": (UNCLEAR, "length", lambda c: c.answer(201, GOOD, length="3, 4")),
    "short-body": (UNCLEAR, "", lambda c: c.answer(201, GOOD, length=len(GOOD) + 9)),
    "reset-in-headers": (UNCLEAR, "", then(HEAD + "X-Half", Connection.reset)),
    "reset-in-body": (UNCLEAR, "", lambda c: (
        c.answer(201, GOOD, length=len(GOOD) + 9), time.sleep(0.1), c.reset())),
    "reset-after-request": (UNCLEAR, "", Connection.reset),
    "closes-without-a-word": (UNCLEAR, "", lambda c: None),
    "bad-chunk": (UNCLEAR, "", raw(HEAD + "Transfer-Encoding: chunked\r\n\r\n"
                                          "ffffffffffffffffff\r\n" + GOOD)),
    "no-http": (UNCLEAR, "", raw(f"{GOOD}\r\n\r\n")),
    "nul-in-headers": (UNCLEAR, "", raw(b"HTTP/1.1 201 X\r\nX-A: \0\r\n\r\n" + GOOD.encode())),
    "strange-status": (UNCLEAR, "HTTP 999", body(GOOD, 999)),
    "status-429": (NOT_SENT, "HTTP 429", body("{}", 429, "Retry-After: 3600")),
    "status-500": (UNCLEAR, "HTTP 500", body(GOOD, 500)),
    "status-503": (UNCLEAR, "HTTP 503", body(GOOD, 503)),
    "status-401": (REFUSED, "HTTP 401", body(GOOD, 401, "WWW-Authenticate: NTLM",
                                             "WWW-Authenticate: Negotiate")),
    "redirect-301": (REFUSED, "HTTP 301", redirect(301)),
    "redirect-307": (REFUSED, "HTTP 307", redirect(307)),
    "cut-json": (UNCLEAR, "as agreed", body('{"sid": "SM1", "error_code": null')),
    "deep-json": (UNCLEAR, "as agreed", body(JSON_DEEP)),
    "html": (UNCLEAR, "as agreed", body(f"<html>{CANARY}</html>", 201, "Content-Type: text/html")),
    "no-body": (UNCLEAR, "as agreed", body("")),
    "no-id": (UNCLEAR, "as agreed", body('{"data": {}}'), "success_match ="),
    "error-inside": (REFUSED, "repeats the message", echo(201, "no")),
    "echo": (REFUSED, "repeats the message", echo(400, "To +12025550134:")),
    "evil-letters": (REFUSED, "?[31mred", body(json.dumps(
        {"error_code": 1, "message": EVIL}, ensure_ascii=False), 400)),
    "nul-in-error": (REFUSED, "HTTP 400: wrong", body(
        json.dumps({"error_code": 1, "message": f"wrong\0{CANARY}"}), 400)),
    "wrong-charset": (REFUSED, "HTTP 400: gr??e", body(
        '{"message": "grüße"}'.encode("latin-1"), 400, "Content-Type: application/json")),
    "gzip-bomb": (UNCLEAR, "as agreed", lambda c: c.answer(
        201, bomb(), "Content-Encoding: gzip")),
    "gzip-bomb-on-the-way": (UNCLEAR, "", lambda c: c.send(
        (HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n").encode() + chunked(bomb()) +
        b"0\r\n\r\n")),
}

# Nothing of the message may get to these.
TLS_ROWS = ("wrong-host", "name-of-nobody", "self-signed", "expired", "not-yet-valid",
            "unknown-authority", "old-tls", "no-tls", "ssh", "closed-at-once", "reset-at-once",
            "half-a-handshake", "silent-handshake")
EARLY = {
    "no-tls": lambda c: (c.plain.recv(4096), c.answer()),
    "ssh": lambda c: (c.send("SSH-2.0-OpenSSH_9.2\r\n"), c.wait()),
    "closed-at-once": lambda c: None,
    "reset-at-once": Connection.reset,
    "half-a-handshake": lambda c: (c.send(b"\x16\x03\x03\x40\x00\x02"), c.wait()),
    "silent-handshake": Connection.wait,
}


def certificate_of(name, authority, directory):
    if name == "wrong-host":
        return authority.issue(name, "other.example.org")
    if name == "name-of-nobody":  # localhost is its CN, which has not counted for long
        return authority.issue(name, "127.0.0.2", common_name="localhost")
    if name == "self-signed":
        own = Authority(directory, name, host="localhost")
        return own.certificate, own.key
    if name == "expired":
        return authority.issue(name, days=(-2, -1))
    if name == "not-yet-valid":
        return authority.issue(name, days=(1, 2))
    if name == "unknown-authority":
        return Authority(directory, "stranger").issue(name)
    return authority.issue(name)


def make(name, authority, good, directory):
    """The peer of a row; `good`: the certificate where nothing is wrong with that."""
    if name in HTTP_ROWS:
        return Peer(HTTP_ROWS[name][2], good)
    if name in EARLY:
        return Peer(None, None, EARLY[name])
    maximum = ssl.TLSVersion.TLSv1_1 if name == "old-tls" else None
    return Peer(body(GOOD), certificate_of(name, authority, directory), None, maximum)


def expectation(name):
    """(outcome, part of the error)"""
    return HTTP_ROWS[name][:2] if name in HTTP_ROWS else (NOT_SENT, "")


def settings(name):
    return list(HTTP_ROWS[name][3:]) if name in HTTP_ROWS else []


def memory_kib(pid, what):
    """VmHWM or VmRSS of a process."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(what + ":"):
            return int(line.split()[1])
    raise LookupError(what)
