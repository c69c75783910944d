"""A screen locker: i3lock on a virtual screen, as the user, for the own account only."""

import pytest

import apps
from host import PASSWORD, until_end, wait_for

AS_ALICE = ("setpriv", "--reuid=alice", "--regid=alice", "--init-groups")


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
        host.run("useradd", "-m", "bob")
        host.run("chpasswd", input=f"bob:{PASSWORD}\n")
        number = host.shared / "display"
        server = host.daemon(*AS_ALICE, "sh", "-c",
                             f"exec Xvfb -displayfd 3 -screen 0 320x240x8 -nolisten tcp -nolisten unix "
                             f"3>/home/alice/display", log=host.shared / "xvfb.log")
        host.display = ":" + wait_for("Xvfb", lambda: host.run(
            "cat", "/home/alice/display", check=False).stdout.strip())
        host.sshd()
        yield host
        host.stop(server)
        print((host.shared / "xvfb.log").read_text(errors="replace")[-2000:])


class Screen:
    """One locked screen; typing into it."""

    def __init__(self, host):
        self.host = host
        log = host.shared / "i3lock.log"
        log.write_text("")
        self.locker = host.daemon(*AS_ALICE, "env", f"DISPLAY={host.display}", "i3lock", "-n",
                                  "--debug", log=log)

        def hears():
            self.x("key", "x")
            return "current password = x" in log.read_text(errors="replace")
        wait_for("the lock to take the keyboard", hears)
        self.x("key", "Escape")

    def x(self, *command):
        return self.host.run(*AS_ALICE, "env", f"DISPLAY={self.host.display}", "xdotool", *command,
                             check=False).stdout

    def type(self, text):
        self.x("type", "--delay", "2", text)
        self.x("key", "Return")

    def is_open(self):
        return self.locker.poll() == 0

    def unlocks(self, text):
        self.type(text)
        return wait_for("the screen to open", self.is_open)

    def stays_locked(self, text):
        """A refusal is in the log once it was decided."""
        before = self.refusals()
        self.type(text)
        wait_for("a refusal", lambda: self.refusals() > before)
        assert not self.is_open()

    def refusals(self):
        return sum("i3lock" in line and ("refused" in line or "authentication failure" in line or
                                         "otpcored:" in line)
                   for line in self.host.syslog().splitlines())


@pytest.fixture
def screen(host):
    apps.profile(host, "i3lock")
    screen = Screen(host)
    yield screen
    host.stop(screen.locker)


def test_password_and_code_unlock(host, screen):
    assert screen.unlocks(f"{PASSWORD},{host.token.next()}")


def test_refusals_leave_it_locked(host, screen):
    code = host.token.next()
    for typed in (PASSWORD, f"{PASSWORD},000000"):
        screen.stays_locked(typed)
    assert screen.unlocks(f"{PASSWORD},{code}")


def test_broker_down(host, screen):
    code = host.token.next()
    with apps.broker_down(host):
        screen.stays_locked(f"{PASSWORD},{code}")
    assert screen.unlocks(f"{PASSWORD},{code}")


def test_only_the_own_account(host):
    """What runs as bob proves nothing of alice, with her password and a good code."""
    apps.profile(host, "i3lock")
    typed = f"{PASSWORD},{host.token.next()}"
    unlock = ("pamtester", "i3lock", "alice", "authenticate")
    bob = host.spawn("setpriv", "--reuid=bob", "--regid=bob", "--init-groups", *unlock)
    assert "Password" not in until_end(bob) and bob.exitstatus != 0
    child = host.spawn(*AS_ALICE, *unlock)
    child.expect("Password: ")
    child.sendline(typed)
    until_end(child)
    assert child.exitstatus == 0


def test_mode_none_takes_the_sessions_word(host):
    apps.profile(host, "i3lock-session", "i3lock")
    alone = Screen(host)
    alone.stays_locked(PASSWORD)  # no login stands behind it
    host.stop(alone.locker)
    child = host.ssh("alice")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline(host.token.next())
    child.expect(r"\$ ")
    child.sendline("pamtester i3lock alice authenticate; echo rc=$?; exit")
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("rc=0")
    until_end(child)
