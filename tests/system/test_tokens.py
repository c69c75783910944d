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
    # The delay after wrong codes and the totals have tests of their own.
    host.install("[policy]\nhelp = helpdesk@example.org\n[throttle]\ndelay_after = 20\ntotal_30d = 100\n"
                 "[licences]\nmode = automatic\n"
                 "[lifecycle]\non_revoke = keep\n")  # the password: test_revoke.py
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


def admin(host, *command):
    return host.run("magotpctl", *command)


def out_of_step(host):
    """Five wrong codes lock it, five wrong pairs leave it to an administrator."""
    child = to_choice(host, "true")
    for _ in range(5):
        child.expect("Enter for 1: ")
        child.sendline("000000")
    child.expect("First token code: ")
    child.close(force=True)
    child = to_choice(host, "true")
    child.expect("Enter for 1: ")
    child.sendline("1")
    for _ in range(5):
        for wanted in ("First", "Next"):
            child.expect(f"{wanted} token code: ")
            child.sendline("000000")
    seen = until_end(child)
    assert "An administrator has to reset it." in seen and "(token-out-of-sync)" in seen


def expired(host):
    host.run("sqlite3", "/var/lib/magotp/otpcore.db", "UPDATE subscription SET expires_at = 1700000000"
             " WHERE id IN (SELECT subscription FROM token)")


def replace_by_pending(host):
    """The old one is revoked, the next one is assigned and not yet activated."""
    admin(host, "revoke", "alice", "t1", "--reason", "lost", "--yes")
    host.write("/root/more.csv", "serial,type,secret,digits,counter,algorithm\n"
               f"HT-0003402,hotp,{SEED},6,0,sha1\n", 0o600)
    admin(host, "token", "import", "/root/more.csv", "--format", "csv")
    admin(host, "token", "assign", "HT-0003402", "alice")


# What was done to the token; what is said when nothing else is there; the line in the
# prompt when something is.
FAULTS = {
    "token-suspended-by-admin": (
        lambda h: admin(h, "suspend", "alice", "t1", "--reason", "lost"),
        "Token 3401 was suspended by an administrator. Ask them to take it up again.",
        "Token 3401 was suspended by an administrator: ask them"),
    "token-out-of-sync": (
        out_of_step, "Token 3401 is out of step. An administrator has to reset it.",
        "Token 3401 is out of step: an administrator has to reset it"),
    "token-expired": (
        expired, "Token 3401 has expired. To renew it, on a host that takes your password: "
        "magotp activate KEY", "Token 3401 has expired. To renew: magotp activate KEY"),
    "token-pending": (
        replace_by_pending, "Token 3402 is not activated yet. To activate it, on a host that "
        "takes your password: magotp token add",
        "Token 3402 is not activated yet. To do so: magotp token add"),
    "token-revoked": (
        lambda h: admin(h, "revoke", "alice", "t1", "--reason", "stolen", "--yes"),
        "Token 3401 was revoked for good. To add another, on a host that takes your password: "
        "magotp token add", "Token 3401 was revoked. To add another: magotp token add"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_L14_each_fault_has_its_own_words_after_the_password(token_host, fault):
    happens, alone, beside = FAULTS[fault]
    happens(token_host)
    child = to_choice(token_host, "true")
    seen = until_end(child)
    assert child.exitstatus != 0
    words = " ".join(seen.split())
    assert f"Login refused. {alone}" in words and f"({fault})" in words, seen
    assert "Enter for" not in seen and "token code" not in seen
    # A wrong password hears nothing of it.
    child = token_host.ssh("alice", "true")
    child.expect("Password:")
    child.sendline("not the password")
    seen = until_end(child)
    assert "oken" not in seen and "refused" not in seen, seen
    # Beside another factor it stands in the prompt, and the other one logs in.
    number = "+12025550134"
    admin(token_host, "enroll", "alice", "--phone", number)
    code = token_host.code(token_host.message(number))
    token_host.run("magotpctl", "phone", "verify", "alice", "p1", "-", input=code + "\n")
    child = to_choice(token_host, "magotp status")
    child.expect("Enter for 1: ")
    assert beside in child.before and "Text to phone ending 0134 (default)" in child.before
    assert "Token ending" not in child.before
    child.sendline("")
    child.expect("Code: ")
    child.sendline(token_host.code(token_host.message(number, after=1)))
    assert "Phone OTP (phone-otp)" in until_end(child)


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
