"""su and login on a terminal: the factor of the account that is entered."""

import pytest

import apps
from host import PASSWORD, until_end

AS_BOB = ("setpriv", "--reuid=bob", "--regid=bob", "--init-groups")
ENTER = {"su": (*AS_BOB, "su", "alice", "-c", "id -un"), "login": ("login", "alice")}


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, "[service su-caller]\nsu_target = caller\n") as host:
        host.run("useradd", "-m", "bob")
        apps.profile(host, "su")
        apps.profile(host, "login")
        yield host


def to_choice(host, program):
    child = host.spawn(*ENTER[program])
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    return child


def is_in(child, program):
    """alice's shell answers."""
    if program == "login":
        child.expect(r"\$ ")
        child.sendline("id -un; exit")
    return "alice" in until_end(child)


@pytest.mark.parametrize("program", ENTER)
def test_wrong_code_no_skip_then_the_right_one(host, program):
    child = to_choice(host, program)
    child.sendline("000000")
    child.expect("Wrong code, 4 tries left")
    child.expect("Enter for 1: ")
    child.sendline("s")
    child.expect("Enter for 1: ")
    child.sendline(host.token.next())
    assert is_in(child, program)


@pytest.mark.parametrize("program", ENTER)
def test_broker_down(host, program):
    with apps.broker_down(host):
        child = host.spawn(*ENTER[program])
        child.expect("Password: ")
        child.sendline(PASSWORD)
        child.expect("broker-unavailable")
        assert child.expect(["login: ", "failure", "cannot retrieve"]) >= 0
        child.close(force=True)
    child = to_choice(host, program)
    child.sendline(host.token.next())
    assert is_in(child, program)


def test_su_target_caller_asks_for_the_callers_factor(host):
    """The password is alice's, the code bob's; the account line knows whose login it is."""
    host.write("/etc/pam.d/su-l", "auth requisite pam_unix.so\n"
               "auth required pam_magotp.so service=su-caller\n"
               "account required pam_unix.so\n"
               "account required pam_magotp.so service=su-caller\n"
               "session required pam_unix.so\n"
               "session required pam_magotp.so service=su-caller\n")
    enter = (*AS_BOB, "su", "-l", "alice", "-c", "id -un")
    child = host.spawn(*enter)
    child.expect("Password: ")
    child.sendline(PASSWORD)
    # Without a factor of his own he gets a made-up one (L10), never hers.
    child.expect("Second step for bob")
    child.expect("Enter for 1: ")
    assert "0134" not in child.before and "oken ending" not in child.before
    child.sendline(host.token.next())
    child.expect("Enter for 1: |Code: |tries left|refused")
    child.close(force=True)
    apps.give_phone(host, "bob", "+12025550177")
    before = len(host.messages())
    child = host.spawn(*enter)
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("Second step for bob")
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    message = host.message(after=before)
    assert message["to"] == "+12025550177"
    child.sendline(host.code(message))
    assert "alice" in until_end(child)
    assert child.exitstatus == 0
