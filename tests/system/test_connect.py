"""A connected account over ssh: alice-root logs in with alice's token (H11)."""

import re

import pytest

from host import PASSWORD, until_end
from test_tokens import hotp, token_host  # noqa: F401

CHILD = "alice-root"


def as_user(host, user, *command, check=True):
    return host.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "magotp",
                    *command, check=check)


@pytest.fixture
def family_host(token_host):  # noqa: F811
    """alice and alice-root are one person's; they are connected by the person alone."""
    host = token_host
    host.run("useradd", "-m", "-s", "/bin/bash", CHILD)
    host.run("chpasswd", input=f"{CHILD}:{PASSWORD}\n")
    host.run("magotpctl", "account", "add", CHILD)
    for user in ("alice", CHILD):
        host.run("magotpctl", "account", "set", user, "--email", "alice@example.org",
                 "--first", "Alice", "--last", "Example")
    as_user(host, CHILD, "connect", "alice")
    child = host.ssh("alice", f"magotp connect --accept {CHILD}; magotp connect")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline(hotp(2))
    seen = until_end(child)
    assert f"{CHILD} logs in with your credentials now" in seen, seen
    return host


def to_choice(host, user, *command):
    child = host.ssh(user, *command)
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    return child


def test_H11_child_logs_in_over_ssh_with_the_parents_token(family_host):
    host = family_host
    child = to_choice(host, CHILD, "magotp status; magotp token list")
    assert "oken" in child.before and "3401" in child.before
    child.sendline(hotp(3))
    seen = until_end(child)
    assert f"{CHILD} on " in seen and "OTP Hardware Token (hardware-otp), level 2" in seen, seen
    assert "Credentials of alice" in seen and re.search(r"t1 +token 3401 +active", seen), seen
    assert "those of alice" in seen, seen  # token list: they live there
    # the code is used up for both; alice's next one still works for alice
    child = to_choice(host, "alice", "magotp status")
    child.sendline(hotp(3))
    child.expect("That code was used already")
    child.expect("Enter for 1: ")
    child.sendline(hotp(4))
    assert "hardware-otp" in until_end(child)


def test_H11_ended_between_password_and_code(family_host):
    host = family_host
    child = to_choice(host, CHILD, "true")
    host.run("magotpctl", "account", "connect", CHILD, "--end")
    child.sendline(hotp(3))
    seen = until_end(child)
    assert child.exitstatus != 0, seen
    # the code was not used up by that
    child = to_choice(host, "alice", "magotp status")
    child.sendline(hotp(3))
    assert "hardware-otp" in until_end(child)


def test_H11_revoking_the_parents_token_ends_the_childs_session(family_host):
    host = family_host
    child = to_choice(host, CHILD, "magotp status --require hardware-otp && echo strong; read x; "
                      "magotp status --require hardware-otp || echo weak now")
    child.sendline(hotp(3))
    child.expect("strong\r\n")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    child.sendline("")
    child.expect("weak now")
    until_end(child)
