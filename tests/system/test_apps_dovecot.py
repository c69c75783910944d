"""dovecot: one password for every question, workers that live on."""

import imaplib

import pytest

import apps
from host import PASSWORD, free_port, wait_for


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
        apps.profile(host, "dovecot")
        host.port = free_port()
        host.write("/etc/dovecot/magotp.conf", f"""
base_dir = /run/dovecot-magotp
log_path = {host.shared}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
# libpam's delay is enough here; dovecot's doubles for each address.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
mail_location = maildir:~/Maildir
passdb {{
  driver = pam
  args = dovecot
}}
userdb {{
  driver = passwd
}}
service imap-login {{
  inet_listener imap {{
    port = {host.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
        server = host.daemon("dovecot", "-F", "-c", "/etc/dovecot/magotp.conf")
        wait_for("dovecot", lambda: apps.listens(host.port))
        yield host
        host.stop(server)
        print((host.shared / "dovecot.log").read_text(errors="replace")[-3000:])


def log_in(host, password):
    """True, or what dovecot says."""
    client = imaplib.IMAP4("127.0.0.1", host.port, timeout=20)
    try:
        client.login("alice", password)
        return client.select("INBOX")[0] == "OK"
    except imaplib.IMAP4.error as refused:
        return str(refused)
    finally:
        client.shutdown()


def test_login_with_password_and_code(host):
    code = host.token.next()
    assert log_in(host, f"{PASSWORD},{code}") is True
    # One more connection in the same breath may share it (H6's exception); no third.
    got = [log_in(host, f"{PASSWORD},{code}") for _ in range(2)]
    assert got[1] is not True


def test_refusals_say_the_same(host):
    code = host.token.next()
    tries = [PASSWORD, f"{PASSWORD},000000", f"wrong,{code}", "wrong"]
    answers = apps.at_once(lambda typed: log_in(host, typed), tries)
    assert True not in answers and len(set(answers)) == 1, answers
    assert log_in(host, f"{PASSWORD},{code}") is True, "no refusal has spent it"


def test_code_on_request(host):
    before = len(host.messages())
    assert log_in(host, f"{PASSWORD},sms") is not True
    assert log_in(host, f"{PASSWORD},{host.code(host.message(after=before))}") is True


def test_broker_down(host):
    code = host.token.next()
    with apps.broker_down(host):
        assert log_in(host, f"{PASSWORD},{code}") is not True
    assert log_in(host, f"{PASSWORD},{code}") is True
