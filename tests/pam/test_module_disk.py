"""threat 31, from the prompt: the disk under otpcored's store, journal and log is full, has become
read-only, or takes too long. Nobody gets in by it, the module keeps its deadline, no guess is
forgotten, and when it is over all is well again. Real file systems, mounted in the test's own
folder; the slow disk is fault/inject.c's."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time

import pytest

import house as houses
from inject import Inject
from test_module import PASSWORD, answers_of, application

TOTAL = 2  # enum throttle_kind: wrong codes of an account
RIGHT = ["{password}", "1", "{code}"]


def attempt(*command):
    """What it said if it failed."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    except FileNotFoundError:
        return "%s is not there" % command[0]
    return done.stderr.strip() or "it failed" if done.returncode else ""


def or_skip(*command):
    why = attempt(*command)
    if why:
        pytest.skip("%s: %s" % (" ".join(map(str, command)), why))


@contextlib.contextmanager
def house_on(tmp_path, *mount):
    """A house whose store, journal and audit log are on a file system of their own."""
    with houses.House(tmp_path, phone={"sends_per_hour": 100, "resend_wait": "0"},
                      throttle={"total_30d": 100, "delay": "0", "delay_max": "0"}) as house:
        house.disk = os.path.join(house.dir, "db")
        os.mkdir(house.disk, 0o700)
        or_skip("mount", *mount, house.disk)
        try:
            house.start()
            house.account("alice")
            house.number_now = house.phone("alice")
            yield house
            print(house.log()[-3000:])
        finally:
            house.close()
            attempt("umount", house.disk)


def charged(house):
    with contextlib.closing(sqlite3.connect("file:%s/otpcore.db?mode=ro" % house.disk, uri=True,
                                            timeout=10)) as db:
        return db.execute("SELECT coalesce(sum(count), 0) FROM throttle WHERE kind = %d" % TOTAL
                          ).fetchone()[0]


def heard(house, ask):
    try:
        result, _ = ask()
        return result.error or result.verdict
    except (OSError, ValueError):
        return "nothing"


def prompted(house, texts=RIGHT):
    """(result, what was shown) of a login at a prompt."""
    with application(house, ["alice"]) as pam:
        pam.start("sshd", "alice", rhost="203.0.113.7")
        code, seen = pam.do("authenticate", answers_of(house, house.number_now, texts))
        pam.end()
    return code, [text for _, text in seen]


def while_it_lasts(house, trouble):
    """(a login under way, its code): everything is denied, what is said is true."""
    login = house.login("alice")
    assert login.send()[0].verdict == "ok"
    code = house.code(house.number_now)
    before, pid = charged(house), house.processes["broker"].pid
    trouble()
    # The page that the log is in has some room yet.
    asked = [heard(house, lambda: house.call("begin", {"user": "alice", "service": "sshd", "proof": 1}))
             for _ in range(200)]
    assert asked[-1] not in ("ok", "undecided"), asked
    said = [heard(house, lambda: login.verify(houses.wrong(code))) for _ in range(2)]
    said.append(heard(house, lambda: login.verify(code)))
    assert "ok" not in said, said
    result, shown = prompted(house)
    assert result == "AUTHINFO_UNAVAIL" and "Try again in a minute." in shown[-1], (result, shown)
    broker = house.processes["broker"]
    assert broker.poll() is None and broker.pid == pid, "no crash"
    assert charged(house) >= before + said.count("code-wrong"), said
    print("%d of 200 begins were answered, then: %s; the codes: %s" % (
        sum(a in ("ok", "undecided") for a in asked), asked[-1], said))
    return login, code, before, said


def test_threat_31_a_full_disk_at_the_prompt(tmp_path):
    """With room again the login that was under way goes on, in the same process."""
    with house_on(tmp_path, "-t", "tmpfs", "-o", "size=3m,mode=0700", "none") as house:
        ballast = os.path.join(house.disk, "ballast")

        def fill():
            with open(ballast, "wb", buffering=0) as f:
                for size in (65536, 4096, 1):
                    with contextlib.suppress(OSError):
                        while True:
                            f.write(bytes(size))

        login, code, before, said = while_it_lasts(house, fill)
        assert "nothing can be written (No space left on device)" in house.log()
        os.unlink(ballast)
        # The same requests once more: their first answer, or one for the first time.
        for seq in (1 + 1, 1 + 2):
            assert heard(house, lambda: login.verify(houses.wrong(code), seq=seq)) == "code-wrong"
        assert charged(house) == before + 2, said
        assert heard(house, lambda: login.verify(code, seq=4)) == "ok"
        assert heard(house, lambda: house.login("alice").verify(code)) == "code-used"
        assert prompted(house)[0] == "SUCCESS"
        assert house.run("otpcored", "--config", house.conf_file, "--audit-verify").returncode == 0


def test_threat_31_a_disk_that_has_become_read_only(tmp_path):
    """As ext4 does after an error. Started on it otpcored says why it cannot; after the check of the
    file system nothing is lost."""
    image = tmp_path / "image"
    with open(image, "wb") as f:
        f.truncate(16 << 20)
    or_skip("mkfs.ext4", "-q", "-F", "-O", "^has_journal", image)
    with house_on(tmp_path, "-o", "loop,errors=remount-ro", image) as house:
        def fail():
            device = subprocess.run(["findmnt", "-no", "SOURCE", house.disk], check=True,
                                    capture_output=True, text=True).stdout.strip()
            trigger = "/sys/fs/ext4/%s/trigger_fs_error" % os.path.basename(device)
            if not os.path.exists(trigger):
                pytest.skip("no " + trigger)
            with open(trigger, "w") as f:
                f.write("1")

        login, code, before, said = while_it_lasts(house, fail)
        assert said.count("code-wrong") == 0 and charged(house) == before
        house.stop("broker")
        with contextlib.suppress(RuntimeError):  # the socket is there before the store is
            house.start_broker()
        assert house.processes.pop("broker").wait(30) == 1
        assert "ead-only file system" in house.log(), house.log()
        assert attempt("umount", house.disk) == ""
        attempt("e2fsck", "-p", image)
        assert attempt("mount", "-o", "loop", image, house.disk) == ""
        house.start_broker()
        assert heard(house, lambda: login.verify(houses.wrong(code), seq=2)) == "code-wrong"
        assert charged(house) == before + 1
        assert heard(house, lambda: login.verify(code, seq=4)) == "ok"
        assert prompted(house)[0] == "SUCCESS"


@pytest.mark.parametrize("what", ["a disk that takes seconds", "a broker that stands still"])
def test_threat_31_the_modules_deadline(tmp_path, what):
    """timeout=1: refused when it is over, while the sync that the answer needs still lasts; and
    what was decided then is nobody's second chance."""
    with houses.House(tmp_path, phone={"sends_per_hour": 100, "resend_wait": "0"}) as house:
        if houses.sanitized():
            pytest.skip("the sanitizer has its own malloc")
        inject = Inject(house.dir, house.build)
        house.environ.update(inject.environ())
        house.start()
        house.account("alice")
        number = house.phone("alice")
        broker = house.processes["broker"]
        stack = {"sshd": "auth requisite pam_matrix.so passdb={passdb}\n"
                         "auth required pam_magotp.so timeout=1 socket={socket}\n"}
        at = {}

        def code():
            if "disk" in what:
                inject.watch(broker.pid)
                inject.arm("sync", nth=-1, error=0, delay=5000)
            else:
                broker.send_signal(signal.SIGSTOP)
            at["begun"] = time.monotonic()
            return house.code(number)

        try:
            with application(house, ["alice"], stack) as pam:
                pam.start("sshd", "alice")
                result, shown = pam.do("authenticate", [PASSWORD, "1", code])
                took = time.monotonic() - at["begun"]
                pam.end()
            assert result == "AUTHINFO_UNAVAIL", shown
            assert 0.9 < took < 4.9, "before the disk was ready"
        finally:
            inject.off()
            broker.send_signal(signal.SIGCONT)
        spent = house.code(number)
        again = heard(house, lambda: house.login("alice").verify(spent))
        assert again == "code-used", "it was looked at, once"
        assert broker.poll() is None
