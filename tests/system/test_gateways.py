"""Logins over ssh whose code travels through real gateways."""

import re
import socket
import time

import pytest

import sip
from host import PASSWORD, free_port, until_end, wait_for
from peers import Authority, Kannel, TwilioPeer

NUMBER = "+12025550134"


@pytest.fixture
def peer_folder(tmp_path):
    """Below /tmp for the daemons' users to read."""
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


def enrol(host, messages):
    host.run("useradd", "-m", "-s", "/bin/bash", "alice")
    host.run("chpasswd", input=f"alice:{PASSWORD}\n")
    host.run("magotpctl", "enroll", "alice", "--phone", NUMBER)
    code = wait_for("the registration's message", messages)[-1]["text"]
    host.run("magotpctl", "phone", "verify", "alice", "p1", "-",
             input=re.search(r"\d{6}", code).group() + "\n")


def to_the_choice(host):
    child = host.ssh("alice", "magotp status")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    return child


def finish(child, text):
    """The code in the text is typed, and lets in."""
    child.sendline(re.search(r"\d{6}", re.sub(r"(?<=\d)[. ,]+(?=\d)", "", text)).group())
    seen = until_end(child)
    assert child.exitstatus == 0 and "Phone OTP" in seen, seen


def log_in(host, messages):
    before = len(messages())
    child = to_the_choice(host)
    child.sendline("1")
    child.expect("Code: ")
    told = child.before
    finish(child, wait_for("the login's message", lambda: messages()[before:])[0]["text"])
    return told


def outbox(host):
    return f"""
[gateway outbox]
driver = outbox
channels = sms voice
priority = 20
directory = {host.outbox}
"""


def receipts():
    port = free_port()
    return f"[receipts]\nlisten = 127.0.0.1:{port}\nurl = http://127.0.0.1:{port}\n"


def test_login_through_kannel_and_its_fake_smsc(empty_host, peer_folder):
    with Kannel(peer_folder) as kannel:
        empty_host.install(smsd_conf=kannel.preset())
        enrol(empty_host, kannel.messages)
        empty_host.sshd()
        assert "Code sent by text to 0134" in log_in(empty_host, kannel.messages)


def test_login_through_twilio(empty_host, peer_folder):
    """Basic auth, form fields, 201; a 429 first is tried again inside the deadline."""
    with TwilioPeer(peer_folder) as twilio:
        empty_host.install(smsd_conf=twilio.preset())
        enrol(empty_host, twilio.messages)
        empty_host.sshd()
        twilio.answers = [429]
        log_in(empty_host, twilio.messages)
        assert len(twilio.messages()) == 2
        assert twilio.faults == []


def test_threat_23_wrong_host_name_gets_no_code(empty_host, peer_folder):
    authority = Authority(peer_folder, "ca")
    with TwilioPeer(peer_folder, authority, authority.issue("other", "sms.example.org")) as twilio:
        empty_host.install(smsd_conf=twilio.preset())
        empty_host.run("useradd", "-m", "alice")
        empty_host.run("magotpctl", "enroll", "alice", "--phone", NUMBER, check=False)
        assert twilio.messages() == [] and twilio.requests == []
        assert "certificate" in empty_host.logs().lower() or "tls" in empty_host.logs().lower()


def test_500_is_ambiguous_and_the_next_gateway_carries_the_same_code(empty_host, peer_folder):
    """Whether the first one sent it nobody knows: a second copy of the code does no harm."""
    with TwilioPeer(peer_folder) as twilio:
        empty_host.install(smsd_conf=twilio.preset() + outbox(empty_host))
        enrol(empty_host, twilio.messages)
        empty_host.sshd()
        twilio.answers = [500] * 3
        assert "Code sent by text" in log_in(empty_host, empty_host.messages)
        assert len(twilio.messages()) == 1 and len(empty_host.messages()) == 1


def test_500_without_another_gateway_is_told_as_it_is(empty_host, peer_folder):
    with TwilioPeer(peer_folder) as twilio:
        empty_host.install(smsd_conf=twilio.preset())
        enrol(empty_host, twilio.messages)
        empty_host.sshd()
        twilio.answers = [500] * 3
        child = empty_host.ssh("alice", "echo in")
        child.expect("Password:")
        child.sendline(PASSWORD)
        child.expect("Enter for 1:")
        child.sendline("1")
        child.expect("Code on its way by text to 0134")
        child.expect("Code: ")
        child.sendline("r")
        child.expect("A new code can be sent in")
        child.close(force=True)


def test_first_gateways_down_or_mute_and_the_next_delivers_within_three_seconds(empty_host, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        empty_host.install(smsd_conf="".join(f"""
[gateway {name}]
driver = http
channels = sms
priority = {priority}
url = http://127.0.0.1:{port}/
field.text = {{text}}
timeout = 1s
""" for name, priority, port in (("down", 1, free_port()), ("mute", 2, mute.getsockname()[1])))
            + outbox(empty_host))
        enrol(empty_host, empty_host.messages)
        empty_host.sshd()
        child = to_the_choice(empty_host)
        before, start = len(empty_host.messages()), time.monotonic()
        child.sendline("1")
        child.expect("Code sent by text to 0134")
        assert time.monotonic() - start < 3
        child.expect("Code: ")
        finish(child, empty_host.messages()[before:][0]["text"])
    assert "by down" in empty_host.logs() and "by mute" in empty_host.logs()


def test_silent_receipt_and_the_code_comes_by_the_next_gateway(empty_host, peer_folder):
    """The first one took the message, and it never arrived: nobody has to do anything."""
    with TwilioPeer(peer_folder) as twilio:
        empty_host.install(smsd_conf=receipts() + twilio.preset(
            receipts="callback", receipt_wait="1s") + outbox(empty_host))
        enrol(empty_host, twilio.messages)
        empty_host.sshd()
        child = to_the_choice(empty_host)
        child.sendline("1")
        child.expect("Code sent by text to 0134")
        child.expect("Code: ")
        (second,) = wait_for("the second message", empty_host.messages)
        assert second["text"] == twilio.messages()[-1]["text"]
        finish(child, second["text"])
        # The registration's was typed before a second message could be due.
        assert len(twilio.messages()) == 2 and len(empty_host.messages()) == 1


def test_P5_failed_receipt_is_told_at_the_next_prompt(empty_host, peer_folder):
    with TwilioPeer(peer_folder) as twilio:
        empty_host.install(smsd_conf=receipts() + twilio.preset(receipts="callback") +
                           twilio.preset("voice"))
        enrol(empty_host, twilio.messages)
        empty_host.sshd()
        child = to_the_choice(empty_host)
        child.sendline("1")
        child.expect("Code sent by text to 0134")
        child.expect("Code: ")
        assert twilio.call_back(twilio.messages()[-1], "undelivered") == 200
        wait_for("the broker", lambda: "it did not arrive" in empty_host.logs())
        child.sendline("")
        child.expect("The message to 0134 failed; choose another way")
        child.expect("1. Text to phone ending 0134")
        child.expect("Enter for 1:")
        child.sendline("v")
        child.expect("Calling phone 0134 with a new code")
        child.expect("Code: ")
        assert twilio.messages()[-1]["channel"] == "voice"
        finish(child, twilio.messages()[-1]["text"])
        metrics = empty_host.run("magotpctl", "metrics").stdout
        assert 'magotp_deliveries_total{state="failed"} 1' in metrics


def test_login_by_the_code_of_a_call_over_sip(empty_host, peer_folder):
    """What is typed is what was heard: each digit is a tone here, read from the recording of
    the telephone, which has pressed a key."""
    voice = sip.make_voice(peer_folder / "voice")
    with sip.Loopback() as network, sip.Phone(peer_folder, network) as phone:
        calls = phone.gateway(voice=voice, run_as="magotp-sip")
        empty_host.install(smsd_conf=outbox(empty_host) + calls)
        empty_host.person()
        empty_host.sshd()
        child = to_the_choice(empty_host)
        child.sendline("1")
        child.expect("Code: ")
        child.sendline("v")
        phone.wait_call()
        time.sleep(0.7)
        phone.press("1")
        codes = sip.codes(phone.heard())
        assert len(codes) == 2 and codes[0] == codes[1] and len(codes[0]) == 6
        assert codes[0] not in [empty_host.code(m) for m in empty_host.messages()]
        child.expect("all to 0134 with a code is on its way")
        child.expect("Code: ")
        finish(child, codes[0])
        assert codes[0] not in empty_host.logs() and codes[0] not in empty_host.syslog()
        # The speech that is installed is whole.
        if empty_host.run("test", "-d", "/usr/share/magotp/voice", check=False).returncode == 0:
            empty_host.write("/etc/magotp/smsd.conf", calls.replace(f"voice = {voice}\n", ""), 0o640)
            assert "is right" in empty_host.run("magotp-smsd", "-t").stdout
