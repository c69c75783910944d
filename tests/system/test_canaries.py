"""threat 20: after logins by every kind of gateway no code is anywhere but at the phone, and no
gateway's password anywhere but in its file."""

import concurrent.futures
import email
import os
import re
import signal
import threading
from pathlib import Path

import pytest

import wirepy
from host import PASSWORD, until_end, wait_for
from memory import family, may_lock, swappable, writable
from peers import Gammu, Kannel, SmtpPeer, TwilioPeer

# user: (number, way); each country has a gateway of its own.
PEOPLE = {"tina": ("+12025550134", "sms"), "vera": ("+12025550177", "voice"),
          "kate": ("+447400123456", "sms"), "gary": ("+4915123456789", "sms"),
          "ella": ("+33612345678", "sms"), "mona": ("+34612345678", "sms")}


class Watch(threading.Thread):
    """Keeps what stands in argv and environment of every process of the machine."""

    def __init__(self):
        super().__init__()
        self.found, self.ended, self.names = set(), threading.Event(), set()

    def run(self):
        while not self.ended.wait(0.1):
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    self.names.add((place / "comm").read_text().strip())
                    for name in ("cmdline", "environ"):
                        self.found.add((place / name).read_bytes())
                except OSError:
                    continue  # it has ended

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class Phones:
    """The peers together: what arrived at a number."""

    def __init__(self, directory):
        self.directory = directory
        self.sink = directory / "sink"
        self.sink.mkdir()
        self.twilio, self.kannel = TwilioPeer(directory), Kannel(directory)
        self.gammu, self.smtp = Gammu(directory), SmtpPeer()

    def configuration(self):
        script = self.directory / "send-code"
        # It stays for a moment, to be looked at.
        script.write_text('#!/bin/sh\ncat >"$1/.new.$$" && mv "$1/.new.$$" "$1/$$" && sleep 0.3\n')
        script.chmod(0o755)
        return "".join((
            "[smsd]\nallowed_countries = US GB DE FR ES\n",
            self.twilio.preset(countries="US", timeout="15s"),
            self.twilio.preset("voice", countries="US", timeout="15s"),
            self.kannel.preset(countries="GB", timeout="15s"), self.gammu.preset(countries="DE"),
            f"[gateway exec]\ndriver = exec\nchannels = sms\ncountries = FR\n"
            f"command = {script} {self.sink}\n",
            self.smtp.gateway(channels="sms", countries="ES",
                              to_address="{to_digits}@sms.example.org")
            .replace("channels = email\n", "", 1)))

    def __enter__(self):
        for peer in (self.twilio, self.kannel, self.gammu, self.smtp):
            peer.__enter__()
        return self

    def __exit__(self, *_):
        for peer in (self.twilio, self.kannel, self.gammu, self.smtp):
            peer.__exit__()

    def codes(self, number):
        """Oldest first."""
        texts = [m["text"] for peer in (self.twilio, self.kannel, self.gammu)
                 for m in peer.messages() if m["to"].lstrip("+") == number[1:]]
        texts += [f.read_text().partition("\n\n")[2] for f in
                  sorted(self.sink.glob("[0-9]*"), key=lambda f: f.stat().st_mtime_ns)
                  if number in f.read_text()]
        texts += [email.message_from_bytes(body).get_payload(decode=True).decode()
                  for _, to, body in self.smtp.mails if number[1:] in to.decode()]
        # Spoken ones digit by digit, more than once.
        return [re.search(r"\d{8}", re.sub(r"(?<=\d)[., ]+(?=\d)", "", text)).group()
                for text in texts]


def enrol(host, phones, user):
    number, channel = PEOPLE[user]
    host.run("magotpctl", "enroll", user, "--phone", number,
             *(["--voice"] if channel == "voice" else []))
    code = wait_for(f"the registration of {user}", lambda: phones.codes(number), 20)[0]
    host.run("magotpctl", "phone", "verify", user, "p1", "-", input=code + "\n")


def log_in(host, phones, user):
    number, _ = PEOPLE[user]
    child = host.ssh(user, "magotp status")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    wrong_one = "12345678"
    child.sendline(wrong_one)
    child.expect("Wrong code, 2 tries left")
    child.expect("Code: ")
    code = wait_for(f"the code of {user}", lambda: phones.codes(number)[1:], 20)[0]
    child.sendline(code)
    seen = until_end(child)
    assert child.exitstatus == 0 and "Phone OTP" in seen, seen


def everywhere(pid):
    return [(name, data) for name, _, data in writable(pid)]


def dies_without_core(child):
    child.send_signal(signal.SIGABRT)
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT).si_code == os.CLD_KILLED


def test_threat_20_no_code_in_logs_argv_environment_files_or_core(empty_host, tmp_path):
    host = empty_host
    if Kannel.missing() or not os.path.exists(Gammu.program):
        pytest.skip("kannel or gammu-smsd is not installed")
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    with Phones(tmp_path) as phones, Watch() as watch:
        host.install("[licences]\nmode = automatic\n[phone]\ncode_digits = 8\n",
                     phones.configuration())
        owner = int(host.run("id", "-u", "magotp-sms").stdout)
        for directory in (phones.sink, phones.gammu.outgoing):
            os.chown(directory, owner, 0)
        host.sshd()
        for user in PEOPLE:
            host.run("useradd", "-m", "-s", "/bin/bash", user)
        host.run("chpasswd", input="".join(f"{user}:{PASSWORD}\n" for user in PEOPLE))
        with concurrent.futures.ThreadPoolExecutor(len(PEOPLE)) as pool:
            list(pool.map(lambda user: enrol(host, phones, user), PEOPLE))
            list(pool.map(lambda user: log_in(host, phones, user), PEOPLE))
        codes = {code for number, _ in PEOPLE.values() for code in phones.codes(number)}
        assert len(codes) == 2 * len(PEOPLE) and phones.twilio.faults == []
        metrics = host.run("magotpctl", "metrics").stdout
    assert {"otpcored", "magotp-smsd", "sshd", "ssh", "send-code"} - watch.names == set()

    passwords = {TwilioPeer.TOKEN, Kannel.PASSWORD}

    def leaks(data):
        spoken = {sep.join(code) for code in codes for sep in (" ", ". ", ", ")}
        return [word for word in codes | spoken | passwords if word.encode() in data]

    assert [blob for blob in watch.found if leaks(blob)] == []
    logs = [host.log, *host.shared.glob("*.log")]
    assert len(logs) >= 4 and all(f.stat().st_size for f in logs)
    assert {f.name: leaks(f.read_bytes()) for f in logs if leaks(f.read_bytes())} == {}
    assert leaks(metrics.encode()) == []
    # /run and /var are the host's own; its spool is empty again.
    kept = host.run("grep", "-rawFl", "-f", "-", "/run", "/var/lib/magotp", "/var/lib/magotp-smsd",
                    "/var/log", "/var/spool", "/etc/magotp", check=False,
                    input="\n".join(sorted(codes | passwords)) + "\n")
    assert (kept.stdout, kept.returncode) == ("", 1)
    assert list(phones.gammu.outgoing.iterdir()) == []
    for child, user in ((host.smsd, "magotp-sms"), (host.broker, "magotp")):
        uid = int(host.run("id", "-u", user).stdout)
        assert f"Uid:\t{uid}\t" in Path(f"/proc/{child.pid}/status").read_text()
        for name in ("mem", "environ", "maps"):
            with pytest.raises(PermissionError):
                wirepy.as_uid(uid, lambda: open(f"/proc/{child.pid}/{name}", "rb").close())
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
        # libcurl keeps what it sent until it sends again: in smsd that is locked. In otpcored it
        # is gone.
        looked_at = everywhere if child is host.broker else swappable if may_lock() else lambda _: []
        assert {(pid, name, word) for pid in family(child.pid) for name, data in looked_at(pid)
                for word in leaks(data)} == set()
        assert dies_without_core(child)
