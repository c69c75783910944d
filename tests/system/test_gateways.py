"""Logins over ssh whose code travels through real gateways."""

import re

import pytest

from host import PASSWORD, until_end, wait_for
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


def log_in(host, messages):
    before = len(messages())
    child = host.ssh("alice", "magotp status")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("1")
    child.expect("Code: ")
    told = child.before
    text = wait_for("the login's message", lambda: messages()[before:])[0]["text"]
    child.sendline(re.search(r"\d{6}", text).group())
    seen = until_end(child)
    assert child.exitstatus == 0 and "Phone OTP" in seen, seen
    return told


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
        empty_host.install(smsd_conf=twilio.preset() + f"""
[gateway outbox]
driver = outbox
channels = sms voice
priority = 20
directory = {empty_host.outbox}
""")
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
