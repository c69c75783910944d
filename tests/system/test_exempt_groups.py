"""exempt_groups with a real sshd, real groups and the module asking for them."""

import pytest

import apps
from host import PASSWORD, until_end

CONF = "[service sshd]\nexempt_groups = nosuch trusted\n"


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, CONF) as host:
        host.run("groupadd", "trusted")
        host.sshd()
        yield host


def log_in(host, *command):
    """alice, with her password; what comes next: 0 in, 1 asked for a code."""
    child = host.ssh("alice", *command)
    child.expect("Password: ")
    child.sendline(PASSWORD)
    return child, child.expect(["in:", "Enter for 1: "])


def test_a_member_is_asked_for_the_password_only(host):
    child, how = log_in(host, "echo in:$MAGOTP_STRENGTH.")
    assert how == 1
    child.close(force=True)
    host.run("usermod", "-aG", "trusted", "alice")
    child, how = log_in(host, "echo in:$MAGOTP_STRENGTH.")
    assert how == 0 and "password." in until_end(child)
    assert child.exitstatus == 0
    host.run("gpasswd", "-d", "alice", "trusted")
    child, how = log_in(host, "echo in:")
    assert how == 1
    child.close(force=True)


def test_the_first_group_counts_too_and_a_key_alone(host):
    key = host.new_key()
    options = ("-o", "PreferredAuthentications=publickey", "-i", key, "-o", "IdentitiesOnly=yes")
    assert "requirements-not-met" in until_end(host.ssh("alice", "echo in:", options=options))
    host.run("usermod", "-g", "trusted", "alice")
    try:
        child = host.ssh("alice", "echo in:", options=options)
        assert "in:" in until_end(child) and child.exitstatus == 0
        said = host.run("magotpctl", "explain", "sshd", "alice").stdout
        assert "Exempt    yes" in said, said
    finally:
        host.run("usermod", "-g", "alice", "alice")
    assert "Exempt    no" in host.run("magotpctl", "explain", "sshd", "alice").stdout


def test_without_an_answer_nobody_is_exempt(host):
    """A group file that cannot be read: then the code is asked for."""
    host.run("usermod", "-aG", "trusted", "alice")
    host.run("mv", "/etc/group", "/etc/group.away")
    try:
        child, how = log_in(host, "echo in:")
        assert how == 1
        child.close(force=True)
    finally:
        host.run("mv", "/etc/group.away", "/etc/group")
        host.run("gpasswd", "-d", "alice", "trusted")
