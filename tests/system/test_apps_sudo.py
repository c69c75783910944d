"""sudo: the prompt, its cached timestamp and NOPASSWD, which skip it, and reuse."""

import pexpect
import pytest

import apps
from host import PASSWORD, ROOT, until_end

STOCK = "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\nalice ALL=(ALL:ALL) ALL\n"


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, "[service sudo]\nreuse = 8h\n") as host:
        apps.profile(host, "sudo")
        apps.profile(host, "sudo", "sudo-i")
        sudoers(host)
        host.sshd()
        yield host


def sudoers(host, more=None):
    """`more`: instead of what is shipped beside the profile."""
    host.run("rm", "-rf", "/etc/sudoers.d", "/run/sudo")
    host.write("/etc/sudoers", STOCK + "@includedir /etc/sudoers.d\n", 0o440)
    host.write("/etc/sudoers.d/magotp", more if more is not None else
               (ROOT / "conf/examples/sudoers-magotp").read_text(), 0o440)


def sudo(host, *command):
    """alice at a terminal that belongs to no recorded session."""
    child = host.spawn("setpriv", "--reuid=alice", "--regid=alice", "--init-groups",
                       "sudo", *command)
    child.expect("assword")
    child.sendline(PASSWORD)
    return child


def code(child, text):
    child.expect("Enter for 1: ")
    child.sendline(text)


@pytest.mark.parametrize("command, says", [(("id", "-un"), "root"), (("-i", "id", "-un"), "root"),
                                           (("-u", "daemon", "id", "-un"), "daemon")])
def test_sudo_asks_for_the_callers_factor(host, command, says):
    child = sudo(host, *command)
    code(child, host.token.next())
    assert says in until_end(child).split()
    assert child.exitstatus == 0


def test_sudo_wrong_code_and_no_skip(host):
    child = sudo(host, "id", "-un")
    code(child, "000000")
    child.expect("Wrong code, 4 tries left")
    code(child, "s")
    child.expect("Enter for 1: ")
    child.sendline(host.token.next())
    assert "root" in until_end(child).split()


def test_sudo_ends_after_the_password_was_wrong(host):
    child = host.spawn("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "sudo", "id")
    child.expect("assword")
    child.sendline("no")
    seen = until_end(child)
    assert child.exitstatus != 0 and "uid=" not in seen and "Enter for" not in seen


def test_sudo_broker_down(host):
    with apps.broker_down(host):
        child = sudo(host, "id")
        seen = until_end(child)
    assert child.exitstatus != 0 and "uid=" not in seen
    assert "broker-unavailable" in seen, seen


def test_sudo_of_root_asks_nothing(host):
    assert host.run("sudo", "-u", "alice", "id", "-un").stdout == "alice\n"


@pytest.mark.parametrize("how", ["Defaults timestamp_timeout=15\n", "alice ALL=(ALL) NOPASSWD: ALL\n"])
def test_L3_sudo_without_a_question_still_meets_the_requirement(host, how):
    """A cached timestamp or NOPASSWD skips auth; account refuses all the same."""
    sudoers(host, how)
    try:
        if "timestamp" in how:
            # Kept for the terminal, so both run in one.
            child = host.spawn("setpriv", "--reuid=alice", "--regid=alice", "--init-groups",
                               "sh", "-c", "sudo true; echo first=$?; sudo -n id; echo second=$?")
            child.expect("assword")
            child.sendline(PASSWORD)
            code(child, host.token.next())
            child.expect("first=0")
        else:
            child = host.spawn("setpriv", "--reuid=alice", "--regid=alice", "--init-groups",
                               "sh", "-c", "sudo -n id; echo second=$?")
        seen = until_end(child)
        assert "second=1" in seen and "uid=" not in seen, seen
        assert "requirements-not-met" in seen, seen
    finally:
        sudoers(host)


def elevate_for_one_command(host):
    """At a terminal of no recorded session: the code is asked once, of elevate."""
    child = host.spawn("setpriv", "--reuid=alice", "--regid=alice", "--init-groups",
                       "magotp", "elevate", "--", "sudo", "sh", "-c", "id -un; exit 7")
    code(child, host.token.next())
    child.expect("assword")
    child.sendline(PASSWORD)
    assert child.expect(["root", "Enter for 1: ", pexpect.EOF]) == 0
    until_end(child)
    assert child.exitstatus == 7


def test_reuse_lets_sudo_take_the_sessions_strength(host):
    """With the shipped line the password is asked each time, the code only at login."""
    child = host.ssh("alice")
    child.expect("Password:")
    child.sendline(PASSWORD)
    code(child, host.token.next())
    child.expect(r"\$ ")
    for _ in range(2):
        child.sendline("sudo id -un")
        child.expect("assword")
        child.sendline(PASSWORD)
        assert child.expect(["root", "Enter for 1: ", pexpect.EOF]) == 0
        child.expect(r"\$ ")
    child.sendline("magotp status; magotp --json status | grep -A6 reuse")
    child.expect(r"Reuse     sudo until [0-2]\d:[0-5]\d\s|Reuse     sudo until \d{4}-")
    child.expect('"service": ?"sudo"')
    child.expect('"until": ?"20')
    child.expect(r"\$ ")
    child.sendline("exit")
    until_end(child)
    # The session is over, and so is its strength.
    child = sudo(host, "id")
    child.expect("Enter for 1: ")
    child.close(force=True)
    elevate_for_one_command(host)
    said = apps.alice(host, "magotp", "status").stdout
    assert "Reuse     none: only recorded sessions are re-used" in said, said
