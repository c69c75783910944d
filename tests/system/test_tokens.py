"""Hardware tokens over ssh, with codes from oathtool."""

import re
import subprocess

import pytest

from host import PASSWORD, until_end

SEED = "3132333435363738393031323334353637383930"
SERIAL = "HT-0003401"


def hotp(counter, seed=SEED):
    return subprocess.run(["oathtool", "--hotp", f"--counter={counter}", seed],
                          capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def token_host(empty_host):
    """alice has a token that was activated with its first two codes; sshd runs."""
    host = empty_host
    # The delay after wrong codes has tests of its own; here nobody waits.
    host.install("[policy]\nhelp = helpdesk@example.org\n[throttle]\ndelay_after = 10\n")
    host.run("useradd", "-m", "-s", "/bin/bash", "alice")
    host.run("chpasswd", input=f"alice:{PASSWORD}\n")
    host.write("/root/tokens.csv", "serial,type,secret,digits,counter,algorithm\n"
               f"{SERIAL},hotp,{SEED},6,0,sha1\n", 0o600)
    host.run("magotpctl", "token", "import", "/root/tokens.csv", "--format", "csv")
    host.run("magotpctl", "account", "add", "alice")
    key = host.run("magotpctl", "license", "issue", "--product", "hardware").stdout.strip()
    alice(host, "activate", key)
    alice(host, "token", "add", SERIAL, hotp(0), hotp(1))
    host.sshd()
    return host


def alice(host, *command, check=True):
    return host.run("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "magotp",
                    *command, check=check)


def to_choice(host, *command):
    child = host.ssh("alice", *command)
    child.expect("Password:")
    assert "oken" not in child.before, "nothing is said before the password"
    child.sendline(PASSWORD)
    return child


def log_in(host, code):
    child = to_choice(host, "magotp status")
    child.expect("Enter for 1: ")
    child.sendline(code)
    return child


def test_L2_a_code_typed_at_the_choice_logs_in(token_host):
    seen = until_end(log_in(token_host, hotp(2)))
    assert "OTP Hardware Token (hardware-otp), level 2" in seen, seen
    assert re.search(r"t1 +token 3401 +active", seen), seen


def test_H6_a_code_is_good_once_and_the_window_is_ten(token_host):
    assert "hardware-otp" in until_end(log_in(token_host, hotp(11)))
    child = log_in(token_host, hotp(11))
    child.expect("That code was used already")
    child.close(force=True)
    child = log_in(token_host, hotp(12 + 11))
    child.expect("Wrong code")
    child.close(force=True)


def test_H4_five_wrong_codes_lock_and_two_right_ones_unlock_and_log_in(token_host):
    child = to_choice(token_host, "magotp status")
    for left in (4, 3, 2, 1):
        child.expect("Enter for 1: ")
        child.sendline("000000")
        child.expect(f"Wrong code, {left} (try|tries) left")
    child.expect("Enter for 1: ")
    child.sendline("000000")
    child.expect("Token 3401 is locked")
    child.expect("First token code: ")
    child.close(force=True)
    # The lock is the token's, not the connection's.
    child = to_choice(token_host, "magotp status")
    child.expect("Token ending 3401: locked")
    child.expect("Enter for 1: ")
    child.sendline("1")
    for wanted, code in (("First", hotp(40)), ("Next", hotp(42)), ("First", hotp(41)), ("Next", hotp(42))):
        child.expect(f"{wanted} token code: ")
        child.sendline(code)
    assert "OTP Hardware Token (hardware-otp)" in until_end(child)


def test_H7_suspended_by_an_administrator_is_told_after_the_password(token_host):
    token_host.run("magotpctl", "suspend", "alice", "t1", "--reason", "lost")
    child = to_choice(token_host, "true")
    seen = until_end(child)
    assert child.exitstatus != 0
    assert "First token code" not in seen


def test_H8_a_revoked_token_logs_nobody_in(token_host):
    token_host.run("magotpctl", "revoke", "alice", "t1", "--reason", "stolen", "--yes")
    child = to_choice(token_host, "true")
    child.expect("Enter for 1: ")
    assert "oken" not in child.before
    child.sendline(hotp(5))
    child.expect("Enter for 1: ")
    child.close(force=True)


def test_H7_self_suspended_is_taken_up_again_at_the_prompt(token_host):
    alice(token_host, "token", "suspend", "t1")
    child = to_choice(token_host, "magotp status")
    child.expect("Enter for 1: ")
    child.sendline("1")
    child.expect("is suspended")
    child.expect("First token code: ")
    child.sendline(hotp(5))
    child.expect("Next token code: ")
    child.sendline(hotp(6))
    assert "hardware-otp" in until_end(child)
