"""vsftpd: one password, a process for each connection."""

import ftplib

import pytest

import apps
from host import PASSWORD, free_port, wait_for


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
        apps.profile(host, "vsftpd")
        host.port = free_port()
        host.write("/etc/vsftpd-magotp.conf", f"""listen=YES
listen_address=127.0.0.1
listen_port={host.port}
background=NO
anonymous_enable=NO
local_enable=YES
pam_service_name=vsftpd
secure_chroot_dir=/run/vsftpd/empty
# vsftpd's own delay after a refusal comes on top of libpam's.
delay_failed_login=0
""")
        host.run("mkdir", "-p", "/run/vsftpd/empty")
        server = host.daemon("vsftpd", "/etc/vsftpd-magotp.conf", log=host.shared / "vsftpd.log")
        wait_for("vsftpd", lambda: apps.listens(host.port))
        yield host
        host.stop(server)
        print((host.shared / "vsftpd.log").read_text(errors="replace")[-3000:])


def log_in(host, password, user="alice"):
    """The folder that the login ends in, or what vsftpd says."""
    client = ftplib.FTP(timeout=20)
    client.connect("127.0.0.1", host.port)
    try:
        client.login(user, password)
        return client.pwd()
    except ftplib.error_perm as refused:
        return str(refused)
    finally:
        client.close()


def test_login_with_password_and_code(host):
    code = host.token.next()
    assert log_in(host, f"{PASSWORD},{code}") == "/home/alice"
    assert log_in(host, f"{PASSWORD},{code}") == "530 Login incorrect."


def test_refusals_say_the_same(host):
    code = host.token.next()
    tries = [PASSWORD, f"{PASSWORD},000000", f"wrong,{code}", "wrong"]
    answers = apps.at_once(lambda typed: log_in(host, typed), tries)
    assert answers == ["530 Login incorrect."] * 4
    assert log_in(host, f"{PASSWORD},{code}") == "/home/alice", "no refusal has spent it"


def test_code_on_request(host):
    before = len(host.messages())
    assert log_in(host, f"{PASSWORD},sms") == "530 Login incorrect."
    assert log_in(host, f"{PASSWORD},{host.code(host.message(after=before))}") == "/home/alice"


def test_broker_down(host):
    code = host.token.next()
    with apps.broker_down(host):
        assert log_in(host, f"{PASSWORD},{code}") == "530 Login incorrect."
    assert log_in(host, f"{PASSWORD},{code}") == "/home/alice"
