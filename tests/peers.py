"""Peers that stand in for the world beyond magotp-smsd, all on loopback.

    with Kannel(tmpdir) as kannel:          # real bearerbox, smsbox and fakesmsc
        (tmpdir / "gateways.d/kannel.conf").write_text(kannel.preset())
        kannel.messages()                   # [{"to", "text"}] as the phone gets them

    with TwilioPeer(tmpdir) as twilio:      # HTTPS, checks what Twilio checks
        (...).write_text(twilio.preset())   # or twilio.preset(channel="voice")
        twilio.messages()                   # [{"to", "channel", "text"}]
        twilio.answers = [429]              # the next answers; then 201 again

Both need nothing but the standard library; Kannel needs the packages kannel and
kannel-extras. What they start they end, by pid.
"""

import base64
import collections
import hmac
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

TOP = pathlib.Path(__file__).resolve().parent.parent
PRESETS = TOP / "conf/gateways.d"
FAKESMSC = "/usr/lib/kannel/test/fakesmsc"

Request = collections.namedtuple("Request", "method path headers body time")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds=10):
    """Until check() is true; its value. Polls: the peers are real processes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


def preset(name, **values):
    """A preset of conf/gateways.d with an account's own values filled in: key with
    '.' written as '__' (var__sid), or given in a dict."""
    values = {k.replace("__", "."): v for k, v in values.items()}
    lines = []
    for line in (PRESETS / f"{name}.conf.example").read_text().splitlines():
        key = line.split(" = ")[0]
        lines.append(f"{key} = {values.pop(key)}" if key in values else line)
    lines += [f"{k} = {v}" for k, v in values.items()]
    return "\n".join(lines) + "\n"


def post_form(url, form, headers=()):
    """POST as providers do; the HTTP status."""
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        e.close()
        return e.code


class Authority:
    """A certificate authority of its own, by openssl."""

    def __init__(self, directory, name="ca", host=None):
        self.directory = pathlib.Path(directory)
        self.key = self.directory / f"{name}.key"
        self.certificate = self.directory / f"{name}.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "2",
                      "-subj", f"/CN={host or 'test ' + name}",
                      *(("-addext", f"subjectAltName=DNS:{host}") if host else ()))

    def _openssl(self, *args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True,
                       cwd=self.directory)

    def issue(self, name, host="localhost", days=(0, 2), common_name=None):
        """(certificate, key) for a server called `host`; good from one day from now to
        another."""
        key, request, cert = (self.directory / f"{name}.{e}" for e in ("key", "csr", "crt"))
        config, index = self.directory / f"{name}.conf", self.directory / f"{name}.index"
        kind = "IP" if re.fullmatch(r"[\d.]+", host) else "DNS"
        # Only `openssl ca` knows other days than today.
        config.write_text(f"""[ca]
default_ca = own
[own]
database = {index}
new_certs_dir = {self.directory}
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
subjectAltName = {kind}:{host}
""")
        index.touch()
        first, last = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400 - 60))
                       for d in days)
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={common_name or host}")
        self._openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-out", cert,
                      "-cert", self.certificate, "-keyfile", self.key, "-startdate", first,
                      "-enddate", last)
        return cert, key


class HttpPeer:
    """A web server on loopback; subclasses answer. `requests` is what came."""

    certificate = None  # (file, key): HTTPS

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.requests = []
        self.hang = threading.Event()  # set: requests get no answer until cleared
        self.gone = threading.Event()
        self._server = self._thread = None

    def answer(self, request):
        """(status, body) or (status, body, {header: value})."""
        raise NotImplementedError

    def _handler(peer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                request = Request(self.command, self.path, self.headers, body, time.time())
                peer.requests.append(request)
                while peer.hang.is_set() and not peer.gone.is_set():
                    time.sleep(0.02)
                status, text, *headers = peer.answer(request)
                data = text.encode() if isinstance(text, str) else text
                self.send_response(status)
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = respond

            def log_message(self, *args):
                pass

        return Handler

    def start(self, port=0):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # clients that refuse our certificate hang up: that is the test

        self._server = Server(("127.0.0.1", port), self._handler())
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, self.certificate))
            # The handshake belongs to the connection's own thread.
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        daemon=True)
        self._thread.start()
        return self

    def stop(self):
        if not self._server:
            return
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://localhost:{self.port}"


class TwilioPeer(HttpPeer):
    """Answers as Twilio's Messages and Calls do, after checking what it checks."""

    SID = "ACdeadbeefdeadbeefdeadbeefdeadbeef"
    TOKEN = "canary-token-7731"
    FROM = "+15005550006"

    def __init__(self, directory, authority=None, certificate=None):
        super().__init__(directory)
        self.authority = authority or Authority(self.directory, "twilio-ca")
        self.certificate = certificate or self.authority.issue("twilio", "localhost")
        self.answers = []  # statuses of the next answers; empty: as the request deserves
        self._accepted = []
        self.faults = []   # what was wrong with requests: must stay empty in a good test
        self._token = self.directory / "twilio.token"
        self._token.write_text(self.TOKEN + "\n")
        self._token.chmod(0o644)

    def preset(self, channel="sms", **values):
        kind = "Messages" if channel == "sms" else "Calls"
        merged = {"var.sid": self.SID, "password": f"file:{self._token}", "from": self.FROM,
                  "url": f"{self.url}/2010-04-01/Accounts/{{var.sid}}/{kind}.json",
                  "ca": self.authority.certificate, **values}
        return preset(f"twilio-{channel}", **merged)

    def _error(self, status, code, message):
        self.faults.append(message)
        return status, json.dumps({"code": code, "message": message, "status": status})

    def answer(self, request):
        if self.answers:
            status = self.answers.pop(0)
            if status != 201:
                # As bad as it gets: the error repeats the number and the whole body.
                form = dict(urllib.parse.parse_qsl(request.body.decode()))
                return status, json.dumps({"code": 1, "status": status, "message":
                                           f"To {form.get('To')} Body {form.get('Body')}"})
        expected = base64.b64encode(f"{self.SID}:{self.TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return self._error(401, 20003, "Authenticate")
        match = re.fullmatch(rf"/2010-04-01/Accounts/{self.SID}/(Messages|Calls)\.json", request.path)
        if request.method != "POST" or not match:
            return self._error(404, 20404, "The requested resource was not found")
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self._error(415, 20415, "Unsupported media type")
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        callback = form.pop("StatusCallback", None)
        wanted = {"Messages": {"To", "From", "Body", "ValidityPeriod"},
                  "Calls": {"To", "From", "Twiml", "Timeout"}}[match[1]]
        if set(form) != wanted or form["From"] != self.FROM:
            return self._error(400, 21604, f"fields {sorted(form)}")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form["To"]):
            return self._error(400, 21211, "Invalid 'To' Phone Number")
        if match[1] == "Messages" and not 1 <= int(form["ValidityPeriod"]) <= 36000:
            return self._error(400, 21626, "Invalid validity period")
        return self._accept(match[1], form, callback)

    def _accept(self, kind, form, callback):
        sid = ("SM" if kind == "Messages" else "CA") + uuid.uuid4().hex
        text = form.get("Body")
        if kind == "Calls":
            # What would be spoken: only well-formed TwiML gets here.
            import xml.etree.ElementTree
            text = xml.etree.ElementTree.fromstring(form["Twiml"]).findtext("Say")
        self._accepted.append({"to": form["To"], "text": text, "sid": sid,
                               "channel": "sms" if kind == "Messages" else "voice",
                               "callback": callback})
        return 201, json.dumps({"sid": sid, "status": "queued", "error_code": None,
                                "error_message": None, "to": form["To"], "body": text})

    def messages(self):
        return list(self._accepted)

    def sign(self, url, form):
        """X-Twilio-Signature, as their documentation describes it."""
        text = url + "".join(f"{k}{form[k]}" for k in sorted(form))
        return base64.b64encode(hmac.digest(self.TOKEN.encode(), text.encode(), "sha1")).decode()

    def call_back(self, message, status, field="MessageStatus"):
        """What Twilio sends about a message; the HTTP status of the answer."""
        form = {"MessageSid": message["sid"], "AccountSid": self.SID, "From": self.FROM,
                "To": message["to"], field: status, "ApiVersion": "2010-04-01"}
        headers = {"X-Twilio-Signature": self.sign(message["callback"], form)}
        return post_form(message["callback"], form, headers)


class Kannel:
    """A real Kannel with its fake SMSC: what fakesmsc prints is what arrived."""

    USER, PASSWORD = "otp", "canary-kannel-4711"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory) / "kannel"
        self.directory.mkdir(mode=0o755, exist_ok=True)
        self.processes = []
        self._password = self.directory / "password"
        self._password.write_text(self.PASSWORD + "\n")
        self._password.chmod(0o644)

    @staticmethod
    def missing():
        """What is not installed, for pytest.skip; "" if all is there."""
        for program in ("bearerbox", "smsbox"):
            if not shutil.which(program, path="/usr/sbin:/usr/bin"):
                return program
        return "" if os.access(FAKESMSC, os.X_OK) else FAKESMSC

    def _configuration(self):
        self.port, self._smsc_port, admin, box = (free_port() for _ in range(4))
        # Groups are separated by blank lines, or Kannel reads them as one.
        return f"""group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = a
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
{self._smsc_group()}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.port}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = {self.USER}
password = {self.PASSWORD}

group = sms-service
keyword = default
text = "ok"
"""

    def _smsc_group(self):
        return f"""smsc = fake
smsc-id = FAKE
host = 127.0.0.1
port = {self._smsc_port}
connect-allow-ip = 127.0.0.1
"""

    def _start_smsc(self):
        # -m 0: it sends nothing itself, only shows what arrives.
        self._start("fakesmsc", FAKESMSC, "-H", "127.0.0.1", "-r", str(self._smsc_port), "-m", "0",
                    "1 100 text hi")
        wait_for("fakesmsc", lambda: "connected" in self._log("bearerbox").lower())

    def _start(self, name, *args):
        log = open(self.directory / f"{name}.log", "wb")
        self.processes.append(subprocess.Popen(args, stdout=log, stderr=subprocess.STDOUT,
                                               stdin=subprocess.DEVNULL, cwd=self.directory))
        log.close()

    def _log(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        file = self.directory / "kannel.conf"
        file.write_text(self._configuration())
        self._start("bearerbox", "/usr/sbin/bearerbox", str(file))
        wait_for("bearerbox", lambda: "MAIN: Start-up done" in self._log("bearerbox"))
        self._start("smsbox", "/usr/sbin/smsbox", str(file))
        self._start_smsc()
        wait_for("smsbox", self._listens)
        return self

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()

    def preset(self, **values):
        merged = {"url": f"http://127.0.0.1:{self.port}/cgi-bin/sendsms", "username": self.USER,
                  "password": f"file:{self._password}", **values}
        return preset("kannel", **merged)

    def messages(self):
        """[{"from", "to", "text"}] as fakesmsc prints them. A line feed in a text
        makes it print two messages, the second without addresses."""
        found = []
        for line in re.findall(r"Got message \d+: <(.*)>\n", self._log("fakesmsc")):
            match = re.match(r"(\S+) (\S+) (text|data|udh|ucs-2) (.*)", line)
            if not match:
                found[-1]["text"] += "\n" + line
                continue
            text = match[4] if match[3] == "text" else urllib.parse.unquote_plus(match[4])
            if match[3] == "ucs-2":
                text = urllib.parse.unquote_to_bytes(match[4].replace("+", " ")).decode("utf-16-be")
            found.append({"from": match[1], "to": match[2], "text": text})
        return found


class SmtpPeer:
    """A mail server of a few lines: what it says to each command is the test's."""

    def __init__(self):
        self.replies = {}  # "RCPT": "550 5.1.1 nobody" ...; None: hangs up
        self.mails = []    # (from, to, bytes)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        sender = to = None
        with connection, connection.makefile("rb") as lines:
            def say(key, usual):
                text = self.replies.get(key, usual)
                if text is not None:
                    connection.sendall(text.encode() + b"\r\n")
                return text is not None and text[0] in "23"

            if not say("CONNECT", "220 peer ESMTP"):
                return
            for line in lines:
                word = line.decode().strip().upper()[:4]
                sender = line if word == "MAIL" else sender
                to = line if word == "RCPT" else to
                if word not in self.replies or self.replies[word] is not None:
                    good = say(word, {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 ok"))
                else:
                    return
                if word == "DATA" and good:
                    body = b"".join(iter(lambda: lines.readline(), b".\r\n"))
                    self.mails.append((sender, to, body))  # before the other side hears of it
                    if not say("END", "250 taken"):
                        self.mails.pop()
                        if self.replies.get("END", "") is None:
                            return

    def gateway(self, **values):
        lines = ["[gateway mail]", "driver = smtp", "channels = email", "tls = none",
                 f"url = smtp://127.0.0.1:{self.port}", "from = otp@example.org"]
        return "\n".join(lines + [f"{k} = {v}" for k, v in values.items()]) + "\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


class OpenSmtpd:
    """A real opensmtpd that delivers to a maildir of a directory of its own. Its queue and
    its control socket have fixed names: in a mount namespace no other one sees them, and
    no mail that another test left comes from there."""

    program = "/usr/sbin/smtpd"
    ALONE = ["unshare", "--mount", "sh", "-ec", """
mkdir -p /var/spool/smtpd
mount -t tmpfs -o mode=711 queue /var/spool/smtpd
mount -t tmpfs -o mode=755 run /run
exec "$@\"""", "sh"]

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        config = self.directory / "smtpd.conf"
        self.maildir = self.directory / "maildir"
        self.maildir.mkdir()
        shutil.chown(self.maildir, "mail", "mail")  # it delivers to no root
        config.write_text(f"""listen on 127.0.0.1 port {self.port}
action "local" maildir "{self.maildir}" virtual {{ "@" = "mail" }}
match from any for domain "example.org" action "local"
""")
        self.log = open(self.directory / "smtpd.log", "wb")
        self.process = subprocess.Popen([*self.ALONE, self.program, "-d", "-f", str(config)],
                                        stdout=self.log, stderr=self.log)
        wait_for("opensmtpd", lambda: self._listens() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError((self.directory / "smtpd.log").read_text())
        return self

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def mails(self):
        return [f.read_bytes() for f in sorted(self.maildir.glob("new/*"))]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Spooler:
    """A program that takes files from a directory: what Gammu and Smstools share."""

    program = None

    def __init__(self, directory):
        self.directory = pathlib.Path(directory) / type(self).__name__.lower()
        self.directory.mkdir(mode=0o755)
        for name in ("out", "sent", "failed", "in", "checked", "device"):
            (self.directory / name).mkdir()
        self.outgoing = self.directory / "out"
        self.process = None

    def preset(self, **values):
        return preset(type(self).__name__.lower(), directory=self.outgoing, **values)

    def start(self):
        config = self.directory / "conf"
        config.write_text(self._configuration())
        with open(self.directory / "output", "wb") as output:
            # Its own session: its modem handlers are its children, and end with it.
            self.process = subprocess.Popen(
                self._command(config), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                cwd=self.directory, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return self

    def log(self):
        file = self.directory / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def sent(self, seconds=30):
        """The names of what it has sent, once it has sent anything."""
        return wait_for("the modem", lambda: sorted(
            f.name for f in (self.directory / "sent").iterdir() if f.suffix != ".LOCK"), seconds)

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


class Gammu(Spooler):
    """The real gammu-smsd with its dummy phone."""

    program = "/usr/bin/gammu-smsd"

    def _configuration(self):
        d = self.directory
        return f"""[gammu]
connection = none
model = dummy
device = {d}/device

[smsd]
service = files
logfile = {d}/log
inboxpath = {d}/in/
outboxpath = {d}/out/
sentsmspath = {d}/sent/
errorsmspath = {d}/failed/
transmitformat = auto
loopsleep = 1
commtimeout = 1
debuglevel = 255
"""

    def _command(self, config):
        return [self.program, "-c", str(config)]

    def messages(self):
        """[{"to", "text", "unicode"}] as it read the files."""
        found = re.findall(r'Found 1 sms to "([^"]*)" with text "(.*?)" cod (\d)', self.log(), re.S)
        return [{"to": to, "text": text, "unicode": coding == "1"} for to, text, coding in found]


class Smstools(Spooler):
    """The real smstools with its modem left out: it logs the PDU that it would send."""

    program = "/usr/sbin/smsd"

    def _configuration(self):
        d = self.directory
        return f"""devices = GSM1
outgoing = {d}/out
checked = {d}/checked
incoming = {d}/in
failed = {d}/failed
sent = {d}/sent
logfile = {d}/log
infofile = {d}/info
pidfile = {d}/pid
loglevel = 7
delaytime = 1
delaytime_mainprocess = 1

[GSM1]
device = /dev/null
modem_disabled = yes
outgoing = yes
incoming = no
"""

    def _command(self, config):
        return [self.program, "-t", f"-c{config}"]

    def pdus(self):
        return re.findall(r"PDU to \d+: AT\+CMGS=\d+ ([0-9A-F]+)", self.log())


class Tinyproxy:
    """A real tinyproxy that lets its one user CONNECT to one port."""

    program = "/usr/bin/tinyproxy"
    USER, PASSWORD = "smsd", "canary-proxy-6612"

    def __init__(self, directory, to_port):
        self.directory, self.to_port = pathlib.Path(directory), to_port
        self.port = free_port()
        self.process = None

    def __enter__(self):
        config = self.directory / "tinyproxy.conf"
        config.write_text(f"""Port {self.port}
Listen 127.0.0.1
Allow 127.0.0.1
Timeout 10
LogLevel Connect
BasicAuth {self.USER} {self.PASSWORD}
ConnectPort {self.to_port}
""")
        with open(self.directory / "tinyproxy.log", "wb") as log:
            self.process = subprocess.Popen([self.program, "-d", "-c", str(config)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        wait_for("tinyproxy", self._listens)
        return self

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return (self.directory / "tinyproxy.log").read_text(errors="replace")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
