"""Certificates at a real sshd (rules C1, C2)."""

import os

import pytest

from authority import HARDWARE, SOFTWARE, Authority
from host import PUBLIC_KEY, until_end

METHODS = "AuthenticationMethods publickey,keyboard-interactive:pam"


@pytest.fixture
def authority(empty_host):
    directory = empty_host.shared / "authority"
    directory.mkdir()
    return Authority(directory)


def ssh_with(host, key, user="alice"):
    return host.ssh(user, "magotp status", options=(
        "-o", "PreferredAuthentications=publickey,keyboard-interactive", "-i", str(key),
        "-o", "IdentitiesOnly=yes"))


def key_of(host, authority, name, user):
    """The certificate's key, usable by ssh and accepted for the user."""
    key = authority.file(name + ".key")
    os.chmod(key, 0o600)
    public = host.run("ssh-keygen", "-y", "-f", key).stdout
    home = f"/home/{user}/.ssh"
    host.run("install", "-d", "-o", user, "-g", user, "-m", "0700", home)
    host.write(home + "/authorized_keys", public)
    return key


def test_C1_the_key_of_a_certificate_is_all_that_is_asked(empty_host, authority):
    host = empty_host
    host.install(f"[licences]\nmode = automatic\n[certificates]\nca = {authority.ca}\n"
                 f"mloa-software = {SOFTWARE}\nmloa-hardware = {HARDWARE}\n"
                 "[service sshd]\nrequire = mloa-software\nlevel = 3\n")
    host.person()
    host.run("useradd", "-m", "bob")
    host.run("magotpctl", "account", "add", "bob")
    host.sshd(PUBLIC_KEY, METHODS)
    authority.certificate("alice", "rsa")
    key = key_of(host, authority, "alice", "alice")
    # Without a certificate the key and a phone are not enough here.
    seen = until_end(ssh_with(host, key))
    assert "requirements-not-met" in seen, seen

    host.run("magotpctl", "certificate", "add", "alice", authority.file("alice.pem"), "--class",
             "mloa-software")
    sent = len(host.messages())
    child = ssh_with(host, key)
    seen = until_end(child)
    assert child.exitstatus == 0, seen
    assert "MLOA Software (mloa-software), level 3" in seen, seen
    assert len(host.messages()) == sent
    assert "active" in host.run("magotpctl", "certificate", "list", "alice").stdout

    # C2: bob's account takes the same key, and says whose it is.
    key_of(host, authority, "alice", "bob")
    child = ssh_with(host, key, "bob")
    seen = until_end(child)
    assert child.exitstatus == 255
    assert "wrong-certificate" in seen and "magotp connect" in seen, seen

    # Taken away, it gives nothing at once.
    host.run("magotpctl", "certificate", "delete", "alice", "c1", "--yes")
    assert "requirements-not-met" in until_end(ssh_with(host, key))
