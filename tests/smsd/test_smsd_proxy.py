"""Proxies and certificates: from the configuration alone, and never unchecked."""

import base64
import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from misbehave import GOOD, Peer, body, memory_kib
from peers import Tinyproxy, TwilioPeer
from smsd import ACCEPTED, AMBIGUOUS, CODE, EXPIRED

KEY = "canary-key-5512"
NAME = "sms.provider.test"  # which only the proxy knows


class ConnectProxy:
    """A proxy that does one thing: answer CONNECT with `reply`, then join the client to
    127.0.0.1:port, whatever name was asked for. `certificate`: it is spoken to by TLS."""

    def __init__(self, port, reply=b"HTTP/1.1 200 OK\r\n\r\n", certificate=None, mute=False):
        self.to, self.reply, self.mute = port, reply, mute
        self.requests, self.gone = [], threading.Event()
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*map(str, certificate))
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        with contextlib.suppress(OSError), contextlib.closing(plain):
            client = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            with contextlib.closing(client):
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = client.recv(4096)
                    if not piece:
                        return
                    request += piece
                self.requests.append(request.decode())
                if self.mute:
                    self.gone.wait(30)
                    return
                for part in [self.reply] if isinstance(self.reply, bytes) else self.reply:
                    client.sendall(part)
                if self.reply != ConnectProxy.good or not self.to:
                    return
                with socket.create_connection(("127.0.0.1", self.to)) as server:
                    threading.Thread(target=self._copy, args=(server, client),
                                     daemon=True).start()
                    self._copy(client, server)

    good = b"HTTP/1.1 200 OK\r\n\r\n"

    @staticmethod
    def _copy(one, other):
        with contextlib.suppress(OSError):
            try:
                while data := one.recv(65536):
                    other.sendall(data)
            finally:
                other.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def gateway(port, authority, key, host=NAME, **values):
    lines = ["[gateway g]", "driver = http", f"url = https://{host}:{port}/send",
             f"ca = {authority.certificate}", "auth = bearer", f"password = {key}",
             "field.To = {to}", "field.Body = {text}", "id = /sid", "timeout = 4s",
             "connect_timeout = 2s"]
    return "\n".join(lines + [f"{k} = {v}" for k, v in values.items()]) + "\n"


@pytest.fixture
def secret(directory):
    def make(name, text):
        file = directory / name
        file.write_text(text)
        file.chmod(0o644)
        return f"file:{file}"
    return make


@pytest.fixture
def provider(authority):
    """Behind the proxy; its name is known to nobody else."""
    peer = Peer(body(GOOD), authority.issue("provider", NAME))
    yield peer
    peer.stop()


def test_tinyproxy_carries_it_and_sees_nothing(smsd, twilio, directory, secret):
    with Tinyproxy(directory, twilio.port) as proxy:
        own = {"proxy": f"http://127.0.0.1:{proxy.port}", "proxy_username": proxy.USER}
        smsd.configure(twilio.preset(**own, proxy_password=secret("pp", proxy.PASSWORD)),
                       smsd.outbox_gateway(priority=20))
        smsd.start()
        assert smsd.outcome()["gateway"] == "twilio-sms"
        assert len(twilio.requests) == 1 and twilio.faults == []
        assert f"CONNECT localhost:{twilio.port}" in proxy.log()
        assert CODE not in proxy.log() and TwilioPeer.TOKEN not in proxy.log()
        # A wrong password: nothing was sent, so the next gateway is asked.
        smsd.configure(twilio.preset(**own, proxy_password=secret("pp", "wrong-canary")),
                       smsd.outbox_gateway(priority=20))
        smsd.reload()
        assert smsd.outcome()["gateway"] == "outbox"
        assert len(twilio.requests) == 1
        error = smsd.gateways()["twilio-sms"]["last_error"]
        assert "after the request" not in error and "canary" not in smsd.log()


def test_proxy_of_all_gateways(smsd, authority, provider, secret):
    """It looks up the name, is spoken to in a tunnel, and gets its own password only."""
    with ConnectProxy(provider.port) as proxy:
        key = secret("key", KEY)
        smsd.configure(gateway(provider.port, authority, key), smsd.outbox_gateway(priority=20),
                       proxy=proxy.url, proxy_username="smsd", proxy_password=secret("pp", "open"))
        smsd.start()
        assert smsd.outcome()["gateway"] == "g"
        (request,) = proxy.requests
        assert request.startswith(f"CONNECT {NAME}:{provider.port} HTTP/1.1\r\n")
        login = base64.b64encode(b"smsd:open").decode()
        assert f"Proxy-Authorization: Basic {login}\r\n" in request
        assert "\r\nAuthorization" not in request and KEY not in request
        assert b"Proxy-Authorization" not in provider.requests[0]
        assert f"Authorization: Bearer {KEY}".encode() in provider.requests[0]
        # none: straight, where the name is unknown.
        smsd.configure(gateway(provider.port, authority, key, proxy="none"),
                       smsd.outbox_gateway(priority=20), proxy=proxy.url)
        smsd.reload()
        assert smsd.outcome()["gateway"] == "outbox"
        # A gateway on this host needs no proxy; here its certificate has another name.
        smsd.configure(gateway(provider.port, authority, key, host="localhost"),
                       smsd.outbox_gateway(priority=20), proxy=proxy.url)
        smsd.reload()
        assert smsd.outcome()["gateway"] == "outbox"
        assert "subject name" in smsd.gateways()["g"]["last_error"]
        assert len(proxy.requests) == 1


HEADERS = [b"HTTP/1.1 200 OK\r\n"] + [b"X-More: of the same\r\n" * 100] * 400


@pytest.mark.parametrize("reply", [
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 502 X\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 9999,
    b"HTTP/1.1 302 X\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"no TLS at all",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"", HEADERS, None,
], ids=["403", "407", "endless-502", "redirect", "no-tls", "ssh", "closed", "headers", "silent"])
def test_threat_23_proxy_that_misbehaves_got_nothing(smsd, authority, provider, secret, reply):
    with ConnectProxy(0, reply or b"", mute=reply is None) as proxy:
        smsd.configure(gateway(provider.port, authority, secret("key", KEY), proxy=proxy.url),
                       smsd.outbox_gateway(priority=20))
        smsd.start()
        before, start = memory_kib(smsd.process.pid, "VmHWM"), time.monotonic()
        assert smsd.outcome()["gateway"] == "outbox"
        assert time.monotonic() - start < 3
        assert memory_kib(smsd.process.pid, "VmHWM") - before < 12 * 1024
        assert "by g (sms): not sent: " in smsd.log()
        assert provider.requests == []
        assert CODE not in "".join(proxy.requests) and KEY not in "".join(proxy.requests)


def test_threat_23_proxy_in_the_middle_is_found_out(smsd, authority, secret):
    """It ends the TLS itself, with the certificate of an authority that we do not ask."""
    stranger = type(authority)(authority.directory, "proxys-own")
    spy = Peer(body(GOOD), stranger.issue("spy", NAME))
    with ConnectProxy(spy.port) as proxy:
        smsd.configure(gateway(443, authority, secret("key", KEY), proxy=proxy.url),
                       smsd.outbox_gateway(priority=20))
        # Nor do the environment's certificates make it right, or take the proxy away.
        smsd.start({"SSL_CERT_FILE": str(stranger.certificate), "no_proxy": "*",
                    "CURL_CA_BUNDLE": str(stranger.certificate), "NO_PROXY": NAME,
                    "SSL_CERT_DIR": str(stranger.directory)})
        assert smsd.outcome()["gateway"] == "outbox"
        assert "by g (sms): not sent: " in smsd.log()
        assert spy.requests == [] and len(proxy.requests) == 1
    spy.stop()


def test_answer_that_breaks_off_behind_the_proxy_is_unclear(smsd, authority, secret):
    peer = Peer(lambda c: c.reset(), authority.issue("breaks", NAME))
    with ConnectProxy(peer.port) as proxy:
        smsd.configure(gateway(peer.port, authority, secret("key", KEY), proxy=proxy.url))
        smsd.start()
        assert smsd.outcome()["outcome"] == AMBIGUOUS
        assert len(peer.requests) == 1
    peer.stop()


@pytest.mark.parametrize("name, trusted, outcome", [
    ("localhost", True, ACCEPTED), ("other.example.org", True, EXPIRED),
    ("localhost", False, EXPIRED)])
def test_threat_23_proxy_by_tls_is_checked_as_well(smsd, authority, provider, secret, name,
                                                   trusted, outcome):
    own = type(authority)(authority.directory, "of-the-proxy")
    with ConnectProxy(provider.port, certificate=own.issue("proxy", name)) as proxy:
        smsd.configure(gateway(provider.port, authority, secret("key", KEY), proxy=proxy.url,
                               proxy_ca=own.certificate if trusted else authority.certificate))
        smsd.start()
        assert smsd.outcome(expires_at=int(time.time()) + 2)["outcome"] == outcome
        assert bool(proxy.requests) == (outcome == ACCEPTED)
        assert len(provider.requests) == (outcome == ACCEPTED)


def test_client_certificate_proves_who_we_are(smsd, authority, papers, secret):
    """A provider that speaks to nobody without one."""
    peer = Peer(body(GOOD), authority.issue("strict"))
    peer._context.verify_mode = ssl.CERT_REQUIRED
    peer._context.load_verify_locations(str(authority.certificate))
    mine = {"client_certificate": papers["CERTIFICATE"], "client_key": papers["KEY"]}
    usual = (peer.port, authority, secret("key", KEY), "localhost")
    smsd.configure(gateway(*usual, **mine), smsd.outbox_gateway(priority=20))
    smsd.start()
    assert smsd.outcome()["gateway"] == "g"
    smsd.configure(gateway(*usual), smsd.outbox_gateway(priority=20))
    smsd.reload()
    assert smsd.outcome()["gateway"] == "outbox"
    assert len(peer.requests) == 1
    peer.stop()


@pytest.fixture(scope="module")
def papers(authority):
    """file: of each, by name."""
    certificate, key = authority.issue("client", "smsd.example.org")
    locked, password = (authority.directory / n for n in ("locked", "password"))
    subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", str(key), "-out",
                    str(locked)], check=True, capture_output=True)
    password.write_text("open\n")
    return {"CERTIFICATE": certificate, "KEY": f"file:{key}", "LOCKED": f"file:{locked}",
            "PASSWORD": f"file:{password}", "OTHER": f"file:{authority.issue('other')[1]}"}


@pytest.mark.parametrize("values, complaint", [
    ({"proxy": "socks5://localhost"}, "must be none, http://host:port"),
    ({"proxy": "localhost:3128"}, "must be none, http://host:port"),
    ({"proxy": "http://u:p@localhost:3128"}, "have their own keys"),
    ({"proxy": "http://localhost:3128/path"}, "must be none, http://host:port"),
    ({"proxy_username": "smsd", "proxy_password": "PASSWORD"}, "proxy: is missing"),
    ({"proxy": "http://localhost:1", "proxy_username": "smsd"}, "one is missing"),
    ({"proxy": "http://localhost:1", "proxy_password": "PASSWORD"}, "one is missing"),
    ({"proxy": "https://localhost:1", "proxy_ca": "/nonexistent"}, "proxy_ca: cannot be read"),
    ({"client_certificate": "CERTIFICATE"}, "one is missing"),
    ({"client_key": "KEY"}, "one is missing"),
    ({"client_certificate": "/nonexistent", "client_key": "KEY"}, "cannot be read"),
    ({"client_certificate": "CERTIFICATE", "client_key": "PASSWORD"}, "is not the certificate's"),
    ({"client_certificate": "CERTIFICATE", "client_key": "OTHER"}, "is not the certificate's"),
    ({"client_certificate": "CERTIFICATE", "client_key": "LOCKED"}, "without a password"),
    ({"client_certificate": "CERTIFICATE", "client_key": "KEY",
      "url": "http://localhost/x"}, "https:// only"),
    ({"verify": "no"}, "unknown"),
    ({"insecure": "yes"}, "unknown"),
])
def test_mistakes_are_named(smsd, authority, papers, values, complaint):
    text = gateway(443, authority, papers["PASSWORD"], **{
        k: papers.get(v, v) for k, v in values.items() if k != "url"})
    if "url" in values:
        text = text.replace(f"https://{NAME}:443/send", values["url"])
    smsd.configure(text)
    done = smsd.check()
    assert done.returncode == 1
    assert complaint in done.stderr, done.stderr


def test_proxy_of_all_is_checked_too(smsd, authority, secret):
    smsd.configure(gateway(443, authority, secret("key", KEY)), proxy="ftp://x")
    assert "proxy: must be" in smsd.check().stderr
