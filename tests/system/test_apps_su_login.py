"""su and login on a terminal: the factor of the account that is entered."""

import pytest

import apps
from host import PASSWORD, until_end

AS_BOB = ("setpriv", "--reuid=bob", "--regid=bob", "--init-groups")
ENTER = {"su": (*AS_BOB, "su", "alice", "-c", "id -un"), "login": ("login", "alice")}


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
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
