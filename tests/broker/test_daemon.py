"""otpcored as a process: start, rights, reload, end."""

import os
import pwd
import shutil
import signal
import socket as sockets
import subprocess
import threading
import time

import pytest

import wirepy
from house import needs_root  # noqa: E402
from house import House


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_check_config(house):
    done = house.run("otpcored", "--config", house.conf_file, "-t", check=False)
    assert done.returncode == 0 and "ok" in done.stderr
    house.conf(phone={"tryes": "3"})
    done = house.run("otpcored", "--config", house.conf_file, "--check-config", check=False)
    assert done.returncode == 1 and "tries" in done.stderr and house.conf_file in done.stderr


def test_help_begins_with_examples(house):
    done = house.run("otpcored", "--help")
    assert done.stdout.startswith("Examples:\n") and not done.stderr
    assert "otpcored" in house.run("otpcored", "--version").stdout
    assert house.run("otpcored", "--nonsense", check=False).returncode == 2
    assert house.run("otpcored", "word", check=False).returncode == 2


def test_what_no_order_takes_is_not_passed_over(house):
    """Else --dry-run would spare nothing, and one of two orders would be done."""
    for words, why in (
            (["--setup", "--dry-run"], "--dry-run goes with --rekey"),
            (["--dry-run", "--json"], "goes with"),
            (["--foreground", "--snapshot"], "--snapshot goes with --restore"),
            (["--backup", "f", "--to", "sqlite:/x"], "--to goes with --restore only"),
            (["--restore-in-place", "--to", "sqlite:/x"], "--to goes with --restore only"),
            (["--setup", "--json"], "--json goes with --rekey"),
            (["--audit-verify", "--journal", "f"], "--journal goes with"),
            (["--setup", "--upstream", "a:1"], "--upstream goes with --enroll"),
            (["--backup", "f", "--setup"], "--backup and --setup: one at a time"),
            (["-t", "--setup"], "--check-config and --setup")):
        done = house.run("otpcored", "--config", house.conf_file, *words, check=False)
        assert done.returncode == 2 and why in done.stderr, (words, done.stderr)
    assert not os.path.exists(os.path.join(house.dir, "master.key"))


def test_setup_refuses_to_overwrite(house):
    house.setup()
    key = os.path.join(house.dir, "master.key")
    db = os.path.join(house.dir, "db", "otpcore.db")
    before = open(key, "rb").read(), open(db, "rb").read()
    done = house.run("otpcored", "--config", house.conf_file, "--setup", check=False)
    assert done.returncode == 1 and "nothing was changed" in done.stderr
    assert (open(key, "rb").read(), open(db, "rb").read()) == before
    for path in (key, db):
        assert os.stat(path).st_mode & 0o777 == 0o600
    # Half a setup is finished: the key stays.
    os.unlink(db)
    house.setup()
    assert open(key, "rb").read() == before[0] and os.path.exists(db)


@needs_root
def test_rights_are_given_up(open_dir):
    with House(open_dir, user="nobody") as house:
        house.start_broker()
        # It listens before it gives its rights up, and serves afterwards.
        assert house.call("ping")[0].verdict == "ok"
        pid = house.processes["broker"].pid
        s, nobody = status_of(pid), pwd.getpwnam("nobody")
        assert set(s["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(s["Gid"].split()) == {str(nobody.pw_gid)}
        assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0
        assert os.stat(house.socket).st_mode & 0o777 == 0o666
        # The key is read before, and is root's to read... and its owner's.
        assert house.call("ping")[0].verdict == "ok"
        with open("/proc/%d/limits" % pid) as f:
            core = next(line for line in f if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        # PR_SET_DUMPABLE 0: its /proc entries are root's.
        assert os.stat("/proc/%d/environ" % pid).st_uid == 0
        # (A sanitizer cannot look for leaks in a process that is not dumpable.)
        assert house.stop("broker") == 0 or "LeakSanitizer" in house.log()


def test_stale_socket_is_replaced_and_a_live_one_is_not(house):
    house.start_broker()
    done = house.run("otpcored", "--config", house.conf_file, "--foreground", check=False)
    assert done.returncode == 1 and "another otpcored is running" in done.stderr
    assert "exists already" not in done.stderr  # as if it were to be removed
    assert house.call("ping")[0].verdict == "ok"
    house.stop_hard("broker")
    assert os.path.exists(house.socket)
    house.start_broker()
    assert house.call("ping")[0].verdict == "ok"


def test_directory_of_the_socket_is_made(house):
    path = os.path.join(house.dir, "run", "otpcored.sock")
    house.conf(broker={"socket": path})
    house.socket = path
    house.start_broker()
    assert house.call("ping")[0].verdict == "ok"
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o755


def test_background_reports_failure_and_success(house):
    house.setup()
    done = house.run("otpcored", "--config", house.conf_file)
    assert done.returncode == 0
    try:
        assert house.call("ping")[0].verdict == "ok"
        again = house.run("otpcored", "--config", house.conf_file, check=False)
        assert again.returncode == 1
    finally:
        # The one that listens on our socket, by its config file.
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if house.conf_file.encode() in f.read():
                        os.kill(int(pid), signal.SIGTERM)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass


def wait_log(house, text):
    for _ in range(200):
        if text in house.log():
            return
        time.sleep(0.02)
    raise AssertionError("not logged: %s in %s" % (text, house.log()))


def test_reload_takes_new_settings_and_keeps_old_ones_over_broken(anna):
    broker = anna.processes["broker"]
    anna.conf(phone={"code_validity": "90s"})
    broker.send_signal(signal.SIGHUP)
    wait_log(anna, "settings were read again")
    assert anna.login("anna").begin["code_validity"] == 90
    with open(anna.conf_file, "a") as f:
        f.write("[nonsense]\n")
    broker.send_signal(signal.SIGHUP)
    wait_log(anna, "the old settings go on")
    assert "nonsense" in anna.log()
    assert anna.login("anna").begin["code_validity"] == 90


def test_sigterm_answers_what_is_in_flight(anna):
    """smsd is stopped (not gone): the answer waits for it; the broker ends only
    when it is out."""
    anna.processes["smsd"].send_signal(signal.SIGSTOP)
    login = anna.login("anna")
    got = []
    asked = threading.Thread(target=lambda: got.append(login.send()))
    asked.start()
    wait_log(anna, "send account=anna")
    start = time.monotonic()
    status = anna.stop("broker")
    asked.join()
    anna.processes["smsd"].send_signal(signal.SIGCONT)
    assert status == 0 and time.monotonic() - start < 6
    result, reply = got[0]
    assert result.verdict == "ok" and reply["delivery"] == 1  # pending
    assert not os.path.exists(anna.socket)


def test_three_seconds_then_pending_and_the_late_word_counts(anna):
    anna.processes["smsd"].send_signal(signal.SIGSTOP)
    login = anna.login("anna")
    start = time.monotonic()
    result, reply = login.send()
    took = time.monotonic() - start
    anna.processes["smsd"].send_signal(signal.SIGCONT)
    assert result.verdict == "ok" and reply["delivery"] == 1 and 2.5 < took < 4
    for _ in range(100):
        time.sleep(0.05)
        if login.send(seq=1)[1]["delivery"] == 2:
            break
    assert login.send()[1] | {"resend_after": 0, "seconds_left": 0} == {
        "delivery": 2, "reused": 1, "channel": "sms", "masked": reply["masked"],
        "seconds_left": 0, "tries_left": 3, "resend_after": 0}
    assert login.verify(anna.code())[0].verdict == "ok"


def test_order_lost_with_smsd_is_sent_again_under_its_id(anna):
    """smsd dies with the order in hand: the same message goes to the next one."""
    anna.processes["smsd"].send_signal(signal.SIGSTOP)
    count = len(anna.messages())
    login = anna.login("anna")
    got = []
    asked = threading.Thread(target=lambda: got.append(login.send()))
    asked.start()
    time.sleep(0.3)
    anna.stop_hard("smsd")
    anna.start_smsd()
    asked.join()
    assert got[0][0].verdict == "ok" and got[0][1]["delivery"] == 2
    assert len(anna.messages()) == count + 1
    assert login.verify(anna.code())[0].verdict == "ok"


@needs_root
def test_threat_03_smsd_must_be_root_or_the_directory_owner(anna):
    """Somebody else's socket in smsd's place gets no order."""
    anna.stop("smsd")
    os.chmod(anna.smsd_dir, 0o777)
    if os.path.exists(anna.smsd_socket):
        os.unlink(anna.smsd_socket)
    child = subprocess.Popen(["/usr/bin/python3", "-c", """
import os, socket, sys, time
os.setgroups([]); os.setgid(12005); os.setuid(12005)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); s.listen(5)
print("up", flush=True)
s.settimeout(5)
c, _ = s.accept()
print("got %d" % len(c.recv(65536)), flush=True)
""", anna.smsd_socket], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "up\n"
        result, reply = anna.login("anna").send()
        assert (result.verdict, reply["delivery"]) == ("send-failed", 3)
        assert child.stdout.readline() == "got 0\n"
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("word", ["--foreground"])
def test_missing_store_or_key_is_said(tmp_path, word):
    with House(tmp_path) as house:
        done = house.run("otpcored", "--config", house.conf_file, word, check=False)
        assert done.returncode == 1 and "master.key" in done.stderr
        house.setup()
        os.unlink(os.path.join(house.dir, "db", "otpcore.db"))
        done = house.run("otpcored", "--config", house.conf_file, word, check=False)
        assert done.returncode == 1 and "otpcore.db" in done.stderr


@pytest.mark.parametrize("spoil, says", [
    (lambda key: os.chmod(key, 0o644), "chmod 600"),
    (lambda key: os.unlink(key), "magotpctl setup"),
    (lambda key: open(key, "w").close(), "64 hex digits"),
])
def test_a_bad_master_key_is_said_with_the_way_out(house, spoil, says):
    house.setup()
    spoil(os.path.join(house.dir, "master.key"))
    done = house.run("otpcored", "--config", house.conf_file, "--foreground", check=False)
    assert done.returncode == 1
    assert "master.key" in done.stderr and says in done.stderr
    assert not os.path.exists(house.socket)


@needs_root
@pytest.mark.parametrize("suffix", ["", "-shm"])
def test_a_store_of_another_user_is_named(open_dir, suffix):
    """Such as root leaves behind who looked into it with sqlite3."""
    with House(open_dir, user="nobody") as house:
        house.setup()
        path = os.path.join(house.dir, "db", "otpcore.db" + suffix)
        open(path, "a").close()
        os.chown(path, 0, 0)
        os.chmod(path, 0o644)
        done = house.run("otpcored", "--config", house.conf_file, "--foreground", check=False)
        assert done.returncode == 1
        assert f"{path}: cannot be written" in done.stderr and "must belong to" in done.stderr


def test_without_the_algorithms_that_are_wanted_it_does_not_start(house):
    house.conf(broker={"crypto": "provider=there-is-none"})
    house.setup()
    done = house.run("otpcored", "--config", house.conf_file, "--foreground", check=False)
    assert done.returncode == 1 and "cryptographic operation failed" in done.stderr


class Manager:
    """A service manager's notification socket."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10)

    def hear(self, word):
        heard = []
        while word not in heard:
            heard += self.socket.recv(4096).decode().split("\n")
        return heard


def start_with(house, command, **env):
    house.setup()
    log = open(house.log_file("broker"), "ab")
    house.processes["broker"] = subprocess.Popen(command, env={**house._env(), **env}, stdout=log,
                                                 stderr=log, stdin=subprocess.DEVNULL)
    log.close()


def test_service_manager_is_told(house, tmp_path):
    manager = Manager(tmp_path / "notify")
    start_with(house, [house.program("otpcored"), "--config", house.conf_file, "--foreground"],
               NOTIFY_SOCKET=manager.path)
    manager.hear("READY=1")
    assert house.call("ping")[0].verdict == "ok"
    house.processes["broker"].send_signal(signal.SIGHUP)
    manager.hear("RELOADING=1")
    manager.hear("READY=1")
    assert house.stop("broker") == 0
    manager.hear("STOPPING=1")


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"),
                    reason="systemd-socket-activate is not installed")
def test_socket_activation(house):
    start_with(house, ["systemd-socket-activate", "--seqpacket", "-l", house.socket,
                       house.program("otpcored"), "--config", house.conf_file, "--foreground"])
    for _ in range(300):
        if os.path.exists(house.socket):
            break
        time.sleep(0.01)
    assert house.call("ping")[0].verdict == "ok"
    assert house.stop("broker") == 0
    assert os.path.exists(house.socket)  # the manager's, not ours to remove


def test_settings_that_are_not_served_are_named(house):
    house.conf(**{"service sshd": {"email_login": "yes"}})
    house.start_broker()
    wait_log(house, "email_login is not served by this version")
    assert house.conf_file in house.log()


def test_sandbox_is_closed(house):
    """No new rights, a filter for system calls, and the daemon still does its
    work: it reads settings again, writes its store, removes its socket."""
    house.start()
    assert house.call("ping")[0].verdict == "ok"
    status = status_of(house.processes["broker"].pid)
    assert status["NoNewPrivs"] == "1"
    if "libseccomp" in subprocess.run(["ldd", house.program("otpcored")], capture_output=True,
                                      text=True).stdout:
        assert status["Seccomp"] == "2"
    house.account("anna")
    house.phone("anna")
    house.processes["broker"].send_signal(signal.SIGHUP)
    wait_log(house, "settings were read again")
    for i in range(100):  # more than one copy of the log
        house.account("many%d" % i)
    assert status_of(house.processes["broker"].pid)["Threads"] == "2", house.log()
    assert house.stop("broker") == 0 and not os.path.exists(house.socket)
