"""Telephones on loopback: baresip that takes calls and records what it hears, sipp that
refuses them. The recorded speech of the tests is tones, one for each digit, so that what was
said can be read from the recording.

    with Network() as network, Phone(tmpdir, network) as phone:
        make_voice(tmpdir / "voice")
        (...).write_text(phone.gateway(network, voice=tmpdir / "voice"))
        phone.wait_call(); phone.press("5"); phone.heard()   # ["intro", "4", "8", ...]
"""

import array
import ctypes
import json
import math
import os
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import time
import wave

from house import build_dir
from peers import wait_for

RATE, TONE, NUMBER = 8000, 0.12, "+12025550134"
PITCH = {**{str(d): 500 + 150 * d for d in range(10)}, "intro": 2150, "press": 2350,
         "again": 2550, "bye": 2750}
BLOCK = 160  # 20 ms
LOUD = 1000
CLONE_NEWNET = 0x40000000


def write_wav(path, samples):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(array.array("h", samples).tobytes())


def tone(pitch, seconds=TONE):
    return [int(9000 * math.sin(2 * math.pi * pitch * i / RATE)) for i in range(int(seconds * RATE))]


def make_voice(directory, languages=("en",)):
    for i, language in enumerate(languages):
        (directory / language).mkdir(parents=True)
        for name, pitch in PITCH.items():
            # Every language after the first says each word a little lower.
            write_wav(directory / language / f"{name}.wav", tone(pitch - 50 * i))
    return directory


def power(block, pitch):
    """Goertzel: how much of one pitch is in a block."""
    c = 2 * math.cos(2 * math.pi * pitch / RATE)
    a = b = 0.0
    for s in block:
        a, b = s + c * a - b, a
    return a * a + b * b - c * a * b


def bursts(samples):
    """(first, last) block of each stretch that is not silence."""
    found, begin = [], None
    loud = [max(samples[i:i + BLOCK], default=0) > LOUD for i in range(0, len(samples), BLOCK)]
    for i, is_loud in enumerate([*loud, False]):
        if is_loud and begin is None:
            begin = i
        elif not is_loud and begin is not None:
            found.append((begin, i))
            begin = None
    return found


def words(samples, lower=0):
    """The names of the tones, in order."""
    names = []
    for first, last in bursts(samples):
        middle = (first + last) // 2 * BLOCK
        block = samples[middle - BLOCK:middle + BLOCK]
        names.append(max(PITCH, key=lambda n: power(block, PITCH[n] - lower)))
    return names


def read_wav(path):
    with wave.open(str(path)) as w:
        assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (RATE, 1, 2)
        return array.array("h", w.readframes(w.getnframes()))


class Network:
    """A network namespace with nothing but loopback, or the machine's own network where the
    kernel has none for us (`reason` says why)."""

    def __init__(self):
        self.name = f"magotp-test-{os.getpid()}"
        self.reason = ""

    def __enter__(self):
        for command in (["ip", "netns", "add", self.name],
                        ["ip", "-n", self.name, "link", "set", "lo", "up"]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                self.reason = f"{' '.join(command)}: {done.stderr.strip()}"
                print(f"no network namespace here, so calls go over loopback: {self.reason}")
                break
        return self

    def __exit__(self, *_):
        if not self.reason or os.path.exists(f"/run/netns/{self.name}"):
            subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def command(self, *words):
        return [*words] if self.reason else ["ip", "netns", "exec", self.name, *words]

    def setting(self):
        return "" if self.reason else self.name

    def connect(self, address):
        """A TCP connection from within."""
        made = []

        def work():
            if not self.reason:
                with open(f"/run/netns/{self.name}") as f:
                    ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET)
            try:
                made.append(socket.create_connection(address))
            except OSError:
                pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return made[0] if made else None


class Loopback(Network):
    """The machine's own network, on purpose."""

    def __enter__(self):
        self.reason = "not asked for"
        return self


def free_pair():
    """A port for SIP whose neighbour is free, too: baresip takes that one for TLS."""
    while True:
        port = random.randrange(20000, 32000, 2)
        try:
            with socket.socket() as a, socket.socket() as b:
                a.bind(("127.0.0.1", port))
                b.bind(("127.0.0.1", port + 1))
            return port
        except OSError:
            continue


class Peer:
    """Something that calls can be made to."""

    def __init__(self, directory, network):
        self.network, self.port, self.process = network, free_pair(), None
        self.directory = pathlib.Path(directory) / f"phone-{self.port}"
        self.directory.mkdir()

    def run(self, *words, **how):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(self.network.command(*words), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.directory, **how)

    def start(self):
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def settings(self):
        return {}

    def gateway(self, name="sip", **values):
        """A section of smsd.conf; times are short, a key is asked for."""
        values = {"driver": "sip", "channels": "voice", "server": f"127.0.0.1:{self.port}",
                  "interface": "127.0.0.1", "username": "magotp", "netns": self.network.setting(),
                  "run_as": "daemon", "pause_ms": 60, "ring": "4s", "key_wait": "3s",
                  "timeout": "20s", **self.settings(), **values}
        return f"[gateway {name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())


class Phone(Peer):
    """Takes every call at once; hears all."""

    def __init__(self, directory, network, number=NUMBER):
        super().__init__(directory, network)
        self.number, self.events, self.buffer, self.link = number, [], b"", None
        self.control = free_pair()
        self.records = self.directory / "records"
        self.records.mkdir()

    def start(self):
        write_wav(self.directory / "silence.wav", [0] * RATE * 60)
        (self.directory / "config").write_text(f"""\
sip_listen 127.0.0.1:{self.port}
net_interface 127.0.0.1
audio_source aufile,{self.directory}/silence.wav
audio_player aubridge,nil
audio_alert aubridge,nil
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {self.records}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{self.control}
""")
        (self.directory / "accounts").write_text(
            f"<sip:{self.number}@127.0.0.1>;answermode=auto;regint=0\n")
        self.run("baresip", "-f", str(self.directory))
        self.link = wait_for("the phone", lambda: self.network.connect(("127.0.0.1", self.control)))
        self.link.setblocking(False)
        return self

    def stop(self):
        if self.link:
            self.link.close()
        super().stop()

    def listen(self):
        """Types of the events so far."""
        try:
            self.buffer += self.link.recv(65536)
        except BlockingIOError:
            pass
        while b":" in self.buffer:
            size, rest = self.buffer.split(b":", 1)
            if len(rest) <= int(size):
                break
            event = json.loads(rest[:int(size)])
            self.events.append(event.get("type", "RESPONSE"))
            self.buffer = rest[int(size) + 1:]
        return self.events

    def wait_call(self, n=1, seconds=15):
        wait_for("the call", lambda: self.listen().count("CALL_ESTABLISHED") >= n, seconds)

    def wait_end(self, n=1, seconds=20):
        wait_for("the end of the call", lambda: self.listen().count("CALL_CLOSED") >= n, seconds)

    def command(self, name, params=""):
        text = json.dumps({"command": name, "params": params}).encode()
        self.link.send(b"%d:%s," % (len(text), text))

    def press(self, key="5"):
        self.command("sndcode", key)

    def recording(self, n=1):
        """Samples of what was heard in the nth call, which has ended."""
        self.wait_end(n)
        files = sorted(self.records.glob("*-dec.wav"))
        assert len(files) >= n, files
        return read_wav(files[n - 1])

    def heard(self, n=1, lower=0):
        return words(self.recording(n), lower)


SEND = """<send{next}><![CDATA[
SIP/2.0 {answer}
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
{header}Content-Length: 0

]]></send>"""
CHALLENGE = 'WWW-Authenticate: Digest realm="test", nonce="0123456789abcdef", algorithm=MD5\n'


def send(answer, header="", next=""):
    return SEND.format(answer=answer, header=header, next=next)


class Refuser(Peer):
    """sipp: gives each call one answer. "180 Ringing" lets it ring until it is cancelled; "":
    says nothing at all. Ends with status 0 when its one call has gone as it should. With a password it asks for that first, and answers 404 where it is wrong;
    request: REGISTER instead of INVITE."""

    def __init__(self, directory, network, answer, password="", request="INVITE", transport="udp"):
        super().__init__(directory, network)
        self.answer, self.password, self.request = answer, password, request
        self.transport = transport

    def settings(self):
        return {"transport": self.transport,
                "register": "yes" if self.request == "REGISTER" else "no"}

    def scenario(self):
        first = f'<recv request="{self.request}"/>'
        then = {"INVITE": '<recv request="ACK"/>', "REGISTER": ""}[self.request]
        if self.answer.startswith("1"):
            then = '<recv request="CANCEL"/>'
        if not self.password:
            return first + send(self.answer) + then
        return (first + send("401 Unauthorized", CHALLENGE) + then + f"""
<recv request="{self.request}"><action><verifyauth assign_to="right" username="magotp"
password="{self.password}"/></action></recv>
<nop next="good" test="right"/>""" + send("404 Not Found", next=' next="end"') +
                '<label id="good"/>' + send(self.answer) + '<label id="end"/>' + then)

    def start(self):
        file = self.directory / "scenario.xml"
        file.write_text(f'<?xml version="1.0"?>\n<scenario name="x">{self.scenario()}</scenario>')
        if self.answer:
            self.run("sipp", "-sf", str(file), "-i", "127.0.0.1", "-p", str(self.port), "-nostdin", "-m", "1",
                     "-t", f"{self.transport[0]}1", env={**os.environ, "TERM": "dumb"})
            wait_for("sipp", lambda: f":{self.port:04X} " in self.listeners())
        return self

    def listeners(self):
        return subprocess.run(self.network.command("cat", f"/proc/net/{self.transport}"), capture_output=True,
                              text=True).stdout


def codes(heard):
    """The codes in what was heard: digits between other words."""
    return [c for c in "".join(w if w in "0123456789" else " " for w in heard).split() if c]


def install_program(directory):
    """sip-call where every user may run it."""
    root = os.environ.get("MAGOTP_ROOT")
    built = pathlib.Path(root, "usr/libexec/magotp") if root else pathlib.Path(build_dir())
    made = pathlib.Path(directory) / "sip-call"
    shutil.copy(built / "sip-call", made)
    made.chmod(0o755)
    return made
