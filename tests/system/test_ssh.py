"""Real logins against a real sshd."""

import re

import pexpect
import pytest

from host import ONE_LINE, PASSWORD, PUBLIC_KEY, until_end

WRONG = "000000"


def wrong_for(code):
    return WRONG if code != WRONG else "000001"


def to_code_prompt(host, child, choice="", after=None):
    """Password and choice; returns the code that was sent."""
    before = len(host.messages()) if after is None else after
    child.expect("Password:")
    assert len(host.messages()) == before, "sent before the password (L1)"
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline(choice)
    child.expect("Code: ")
    return host.code(host.message(after=before))


@pytest.mark.parametrize("stack", [None, ONE_LINE])
def test_L1_password_then_code(empty_host, stack):
    """Both stacks: pam_unix + pam_magotp, and the single line with prompt_password."""
    empty_host.install()
    empty_host.person()
    empty_host.sshd(**({"stack": stack} if stack else {}))
    child = empty_host.ssh("alice", "magotp status; env")
    code = to_code_prompt(empty_host, child)
    child.sendline(code)
    seen = until_end(child)
    assert child.exitstatus == 0, seen
    assert re.search(r"Session +Phone OTP \(phone-otp\), level 2, since \d\d:\d\d from 127\.0\.0\.1", seen), seen
    assert "MAGOTP_STRENGTH=phone-otp" in seen
    assert "MAGOTP_TXN" not in seen


@pytest.mark.parametrize("stack", [None, ONE_LINE])
def test_L1_wrong_password_sends_nothing(empty_host, stack):
    empty_host.install()
    empty_host.person()
    sent = len(empty_host.messages())
    empty_host.sshd(**({"stack": stack} if stack else {}))
    child = empty_host.ssh()
    child.expect("Password:")
    child.sendline("not the password")
    seen = until_end(child)
    assert child.exitstatus == 255
    assert "Second step" not in seen
    assert len(empty_host.messages()) == sent


@pytest.mark.parametrize("language, choice, code_prompt, refused", [
    ("de", "Enter für 1: ", "Code per SMS an 0134 gesendet", "Falscher Code, noch 2 Versuche"),
    ("ja", "Enter で 1: ", "SMSで 0134 にコードを送りました", "コードが違います。残り2回")])
def test_a_login_speaks_the_accounts_language(empty_host, language, choice, code_prompt, refused):
    """Over the wire as UTF-8; a real ssh client of a UTF-8 terminal shows it as it is."""
    empty_host.install()
    empty_host.person()
    empty_host.run("magotpctl", "account", "set", "alice", "--lang", language)
    empty_host.sshd()
    child = empty_host.ssh("alice", "echo in")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect_exact(choice)
    before = len(empty_host.messages())
    child.sendline("1")
    child.expect_exact(code_prompt)
    code = empty_host.code(empty_host.message(after=before))
    child.sendline(wrong_for(code))
    child.expect_exact(refused)
    child.sendline(code)
    assert "in" in until_end(child).split()
    bad = empty_host.run("magotpctl", "account", "set", "alice", "--lang", "Deutsch!", check=False)
    assert bad.returncode != 0 and "language: two letters" in bad.stderr, bad.stderr


def test_P5_resend_voice_and_the_old_code_is_dead(host):
    child = host.ssh("alice", "echo in")
    first = to_code_prompt(host, child)
    child.sendline("v")
    child.expect("Calling phone 0134")
    child.expect("Code: ")
    call = host.message(after=2)
    assert call["channel"] == "voice"
    second = host.code(call)
    assert second != first
    child.sendline(first)
    child.expect("Wrong code, 2 tries left")
    child.expect("Code: ")
    child.sendline(second)
    seen = until_end(child)
    assert child.exitstatus == 0 and "in" in seen, seen


def test_P4_three_wrong_codes_end_the_login(host):
    child = host.ssh()
    code = to_code_prompt(host, child)
    for left in (2, 1):
        child.sendline(wrong_for(code))
        child.expect(f"Wrong code, {left} (try|tries) left")
        child.expect("Code: ")
    child.sendline(wrong_for(code))
    seen = until_end(child)
    assert "tries-exceeded" in seen
    assert child.exitstatus == 255


def test_P4_live_code_is_used_again_on_the_next_try(host):
    """Closing the window and logging in again sends no second message."""
    child = host.ssh()
    code = to_code_prompt(host, child)
    child.close(force=True)
    sent = len(host.messages())
    child = host.ssh("alice", "echo in")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    assert len(host.messages()) == sent
    child.sendline(code)
    assert "in" in until_end(child)
    assert child.exitstatus == 0


def test_L9_the_second_login_tells_of_the_first(host):
    for turn in range(2):
        child = host.ssh()
        code = to_code_prompt(host, child)
        child.sendline(code)
        child.expect(r"\$ ")
        seen = child.before
        child.sendline("exit")
        until_end(child)
        assert ("Last login" in seen) == (turn == 1), seen


def test_L3_public_key_alone_is_refused_with_the_way_in(host):
    key = host.new_key()
    child = host.ssh("alice", "echo in", options=(
        "-o", "PreferredAuthentications=publickey", "-i", key, "-o", "IdentitiesOnly=yes"))
    seen = until_end(child)
    assert child.exitstatus == 255
    assert "a key alone is not enough for sshd" in seen, seen
    assert "requirements-not-met" in seen


def test_first_publickey_asks_for_the_code_only(empty_host):
    empty_host.install()
    empty_host.person()
    empty_host.sshd(PUBLIC_KEY, "AuthenticationMethods publickey,keyboard-interactive:pam")
    key = empty_host.new_key()
    child = empty_host.ssh("alice", "echo in", options=(
        "-o", "PreferredAuthentications=publickey,keyboard-interactive", "-i", key,
        "-o", "IdentitiesOnly=yes"))
    assert child.expect(["Enter for 1:", "Password:"]) == 0
    child.sendline("")
    child.expect("Code: ")
    child.sendline(empty_host.code(empty_host.message(after=1)))
    assert "in" in until_end(child)
    assert child.exitstatus == 0


def transcript(host, user):
    """What somebody with the right Unix password sees who guesses codes."""
    child = host.ssh(user)
    child.expect("Password:")
    child.sendline(PASSWORD)
    seen = []
    for answer in ("", WRONG, WRONG, WRONG):
        child.expect(["(Enter for 1|Code|Choice): ?"])
        seen.append(child.before + child.after)
        child.sendline(answer)
    seen.append(until_end(child))
    text = "".join(seen).replace(user, "USER")
    # Accounts differ in how many phones they have and whether one was used yet;
    # made-up ones differ in the same way, each for good.
    text = re.sub("Your carrier may charge for messages and calls.\r\n", "", text)
    text = re.sub(r"2\. Text to phone ending \d{4}\r\n", "", text)
    text = text.replace("Number, or Enter for 1", "Enter for 1")
    return re.sub(r"\b\d{4}\b", "NNNN", re.sub(r"\d+ (seconds|minutes)", "TIME", text))


def test_L10_a_user_without_account_sees_what_a_wrong_code_shows(host):
    host.run("useradd", "-m", "mallory")
    host.run("chpasswd", input=f"mallory:{PASSWORD}\n")
    sent = len(host.messages())
    assert transcript(host, "mallory") == transcript(host, "alice")
    assert len(host.messages()) == sent + 1, "only alice has a phone"


def test_broker_down_denies(host):
    host.stop(host.broker)
    child = host.ssh()
    child.expect("Password:")
    child.sendline(PASSWORD)
    seen = until_end(child)
    assert child.exitstatus == 255
    assert "broker-unavailable" in seen, seen


def test_threat_30_login_goes_on_after_kill_9(host):
    child = host.ssh("alice", "echo in")
    code = to_code_prompt(host, child)
    host.kill_broker()
    host.start_broker()
    child.sendline(code)
    assert "in" in until_end(child)
    assert child.exitstatus == 0


def test_gateway_down_is_told_and_another_phone_works(empty_host):
    empty_host.install()
    empty_host.person(phones=("+12025550134", "+12025550188"))
    empty_host.sshd()
    empty_host.stop(empty_host.smsd)
    child = empty_host.ssh("alice", "echo in")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("1")
    child.expect("Not sent")
    child.expect("Choice: ")
    empty_host.start_smsd()
    child.sendline("m")
    child.expect("Enter for 1:")
    child.sendline("2")
    child.expect("Code: ")
    child.sendline(empty_host.code(empty_host.message("+12025550188", after=1)))
    assert "in" in until_end(child)


def test_threat_20_no_code_number_or_password_in_any_log(host):
    child = host.ssh("alice", "echo in")
    code = to_code_prompt(host, child)
    child.sendline(code)
    until_end(child)
    everything = host.logs() + host.syslog() + (host.shared / "sshd.log").read_text()
    assert "alice" in everything
    for secret in (code, "2025550134", PASSWORD):
        assert secret not in everything, secret


def test_threat_14_planted_txn_is_worth_nothing(host):
    """A user's own environment can't bring a transaction into the session."""
    child = host.ssh("alice", "echo got:$MAGOTP_TXN.", options=("-o", "SetEnv=MAGOTP_TXN=planted"))
    code = to_code_prompt(host, child)
    child.sendline(code)
    assert "got:." in until_end(child)
