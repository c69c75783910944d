"""The smtp driver: real e-mails to opensmtpd, and every outcome from a small peer."""

import email
import email.policy
import os
import time

import pytest
from peers import OpenSmtpd, SmtpPeer, free_port, wait_for
from smsd import ACCEPTED, AMBIGUOUS, EXPIRED, PERMANENT, TOP

MAIL = {"channel": "email", "to": "anna@example.org", "template": "expired", "code": "",
        "priority": 3, "args": "account=Änne\nproduct=hardware\ndate=2027-01-31\n"}


@pytest.fixture
def peer(smsd):
    with SmtpPeer() as made:
        smsd.configure(made.gateway(), templates=TOP / "conf/templates")
        yield made


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(OpenSmtpd.program),
                    reason="needs root and opensmtpd")
def test_opensmtpd_takes_it(smsd, directory):
    with OpenSmtpd(directory) as server:
        smsd.configure("[gateway mail]\ndriver = smtp\nchannels = email\ntls = none\n"
                       f"url = smtp://127.0.0.1:{server.port}\nfrom = otp@example.org\n"
                       "timeout = 20s\n", templates=TOP / "conf/templates")
        smsd.start()
        assert smsd.outcome(id="m42", **MAIL)["outcome"] == ACCEPTED
        assert smsd.outcome(id="m42", **MAIL)["outcome"] == ACCEPTED  # the same: not again
        wait_for("the e-mail", server.mails, 20)
        (got,) = server.mails()
    mail = email.message_from_bytes(got, policy=email.policy.default)
    assert mail["Subject"] == "Your hardware subscription has ended"
    assert mail["Message-ID"] == "<m42@example.org>" and mail["To"] == "anna@example.org"
    assert "Hello Änne,\n" in mail.get_content() and "2027-01-31" in mail.get_content()


def test_text_with_dots_arrives_whole(smsd, peer):
    smsd.start()
    text = "one\n.\n..two\nend"
    done = smsd.outcome(channel="email", to="a@example.org", template="", code="", text=text)
    assert done["outcome"] == ACCEPTED
    mail = email.message_from_bytes(peer.mails[0][2].replace(b"\r\n.", b"\r\n"),
                                    policy=email.policy.default)
    assert mail.get_content().replace("\r\n", "\n").strip() == text


def test_the_sender_is_the_gateways_or_else_the_messages(smsd, peer):
    """[mail] from of magotp.conf comes along; a gateway with a sender of its own keeps it."""
    smsd.start()
    assert smsd.outcome(**MAIL, **{"from": "other@example.net"})["outcome"] == ACCEPTED
    section = "\n".join(line for line in peer.gateway().splitlines() if "from" not in line)
    smsd.stop()
    smsd.configure(section + "\n", templates=TOP / "conf/templates")
    smsd.start()
    assert smsd.outcome(id="m1", **MAIL, **{"from": "other@example.net"})["outcome"] == ACCEPTED
    nobody = smsd.outcome(id="m2", expires_at=int(time.time()) + 2, **MAIL, **{"from": ""})
    assert nobody["outcome"] == EXPIRED
    assert [b"<otp@example.org>" in peer.mails[0][0], b"<other@example.net>" in peer.mails[1][0],
            len(peer.mails)] == [True, True, 2]
    assert b"\r\nFrom: other@example.net\r\n" in b"\r\n" + peer.mails[1][2]


@pytest.mark.parametrize("command", ["CONNECT", "MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("reply, outcome", [("451 later", EXPIRED), ("550 never", PERMANENT)])
def test_refusals(smsd, peer, command, reply, outcome):
    """4xx is tried again until the time is over, 5xx is final."""
    peer.replies[command] = reply
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 3, **MAIL)["outcome"] == outcome
    assert peer.mails == []


def test_silence_after_the_text_is_ambiguous(smsd, peer):
    peer.replies["END"] = None
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 4, **MAIL)["outcome"] == AMBIGUOUS


def test_no_server_is_tried_again(smsd):
    port = free_port()
    smsd.configure("[gateway mail]\ndriver = smtp\nchannels = email\ntls = none\n"
                   f"url = smtp://127.0.0.1:{port}\nfrom = otp@example.org\n",
                   templates=TOP / "conf/templates")
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 2, **MAIL)["outcome"] == EXPIRED


def test_tls_required_sends_nothing_in_the_clear(smsd, peer):
    smsd.configure(peer.gateway().replace("tls = none", "tls = required"),
                   templates=TOP / "conf/templates")
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 2, **MAIL)["outcome"] != ACCEPTED
    assert peer.mails == []


@pytest.mark.parametrize("args", ["account=x\r\nBcc: b@example.org", "no value", "=x"])
def test_header_injection_is_refused(smsd, peer, args):
    smsd.start()
    result, _ = smsd.submit(**{**MAIL, "args": args})
    assert result.error
    assert peer.mails == []


@pytest.mark.parametrize("lines, word", [
    ("url = smtp://mail.example.org\ntls = none\nfrom = a@example.org", "tls"),
    ("url = http://127.0.0.1\nfrom = a@example.org", "url"),
    ("url = smtp://u:p@127.0.0.1\nfrom = a@example.org", "url"),
    ("url = smtp://127.0.0.1\nfrom = otp", "from"),
    ("url = smtp://127.0.0.1\nfrom = a@example.org\nusername = x", "password"),
])
def test_faulty_settings(smsd, lines, word):
    smsd.configure("[gateway mail]\ndriver = smtp\nchannels = email\n" + lines + "\n")
    done = smsd.check()
    assert done.returncode == 1 and word in done.stdout + done.stderr


def test_text_by_the_mail_gateway_of_a_carrier(smsd, peer):
    smsd.configure(peer.gateway().replace("channels = email", "channels = sms") +
                   "to_address = {to_digits}@sms.example.net\n")
    smsd.start()
    reply = smsd.outcome()
    assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "mail")
    ((_, to, body),) = peer.mails
    assert b"<12025550134@sms.example.net>" in to
    mail = email.message_from_bytes(body, policy=email.policy.default)
    assert mail["To"] == "12025550134@sms.example.net" and not mail["Subject"]
    assert mail.get_content().startswith("483920 is your login code")
    assert "no second factor" in smsd.log()
    assert "483920" not in smsd.log() and "12025550134" not in smsd.log()


@pytest.mark.parametrize("address", [
    None, "{to_digits}", "someone@example.org", "{to}@{text}.example.org", "a b{to}@example.org",
    "{to}@a@example.org", "{tto}{to}@example.org"])
def test_faulty_address_of_a_carrier(smsd, peer, address):
    smsd.configure(peer.gateway().replace("channels = email", "channels = sms") +
                   (f"to_address = {address}\n" if address else ""))
    done = smsd.check()
    assert done.returncode == 1
    assert "to_address" in done.stderr or "unknown placeholder" in done.stderr
