"""Sessions of a real sshd: two logins under one audit id, an old ticket in the user's own
environment, and another user of the machine (security.md 13, 14)."""

import json

import pytest

import apps
from host import PASSWORD, free_port, until_end, wait_for

# pam_env reads what the user wrote; the line after it shows what reaches the session.
STACK = """auth      requisite  pam_unix.so
auth      required   pam_magotp.so
account   required   pam_unix.so
account   required   pam_magotp.so
session   required   pam_loginuid.so
session   optional   pam_exec.so type=open_session /usr/local/bin/peek
session   required   pam_env.so readenv=0 user_readenv=1
session   required   pam_magotp.so
session   required   pam_env.so readenv=0
"""
PEEK = "#!/bin/sh\nenv > /root/peeked\n"


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, "[service sshd]\npublickey_alone = allow\n") as host:
        host.run("useradd", "-m", "-s", "/bin/bash", "bob")
        host.run("magotpctl", "account", "add", "bob")
        host.write("/usr/local/bin/peek", PEEK, 0o755)
        host.sshd(pam=STACK)
        host.key = host.new_key()
        yield host


def with_code(host, *command):
    child = host.ssh("alice", *command)
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline(host.token.next())
    return child


def with_key(host, *command):
    return host.ssh("alice", *command, options=(
        "-o", "PreferredAuthentications=publickey", "-i", host.key, "-o", "IdentitiesOnly=yes"))


SAY = "magotp --json status; echo left:$MAGOTP_TXN."


def session(seen):
    return json.loads(seen[seen.index("{"):seen.rindex("}") + 1])["session"]


def test_threat_14_an_old_ticket_from_pam_environment_changes_nothing(host):
    seen = until_end(with_code(host, SAY))
    assert session(seen)["strength"] == "hardware-otp" and "left:." in seen, seen
    peeked = dict(line.split("=", 1) for line in
                  host.run("cat", "/root/peeked").stdout.splitlines() if "=" in line)
    old = peeked["MAGOTP_TXN"]
    assert len(old) > 100
    for name in (old, "garbage"):
        host.write("/home/alice/.pam_environment", f"MAGOTP_TXN DEFAULT={name}\n")
        child = with_key(host, SAY)
        seen = until_end(child)
        assert child.exitstatus == 0 and "left:." in seen, seen
        assert (session(seen)["strength"], session(seen)["recorded"]) == ("password", False), seen
    # Nor does it harm a login of one's own.
    seen = until_end(with_code(host, SAY))
    assert session(seen)["strength"] == "hardware-otp" and "left:." in seen, seen
    host.run("rm", "/home/alice/.pam_environment")


def as_bob(host, *command):
    return host.run("setpriv", "--reuid=bob", "--regid=bob", "--init-groups", *command,
                    check=False)


def test_another_user_can_neither_read_raise_nor_end_a_session(host):
    child = with_code(host, "echo in; magotp --json status; echo shown; sleep 60")
    child.expect("shown")
    said = session(child.before)
    assert said["recorded"] and said["strength"] == "hardware-otp"
    for command in (("status",), ("elevate", "p1"), ("token", "revoke", "t1", "--yes"),
                    ("phone", "list")):
        done = as_bob(host, "magotp", *command)
        assert "alice" not in done.stdout and "0134" not in done.stdout + done.stderr, done
    for command in (("session", "list"), ("session", "end", "alice", "--all"),
                    ("account", "show", "alice")):
        done = as_bob(host, "magotpctl", *command)
        assert done.returncode == 1 and "0134" not in done.stdout, (command, done)
    # From inside alice's audit session (su does not change it) bob has no more.
    listed = json.loads(host.run("magotpctl", "--json", "session", "list").stdout)
    assert [x["account"] for x in listed] == ["alice"], listed
    child.close(force=True)


def test_threat_13_two_logins_that_share_an_audit_id_have_no_row(host):
    """An sshd that was started from alice's own login: pam_loginuid finds her login uid
    there already and makes no new id, so that her logins share one."""
    uid = int(host.run("id", "-u", "alice").stdout)
    port = free_port()
    host.daemon("sh", "-c", f"echo {uid} > /proc/self/loginuid && exec /usr/sbin/sshd -D -e "
                f"-f /etc/ssh/sshd_magotp -p {port}", log=host.shared / "sshd-shared.log")
    wait_for("sshd", lambda: apps.listens(port))
    usual, host.sshd_port = host.sshd_port, port
    try:
        said = [session(until_end(with_code(host, SAY))) for _ in range(2)]
    finally:
        host.sshd_port = usual
    assert said[0]["id"] == said[1]["id"] is not None, said
    assert [(s["recorded"], s["reason"], s["strength"]) for s in said] == [
        (False, "shared-id", "password")] * 2, said
    # A login with an id of its own is as ever.
    assert session(until_end(with_code(host, SAY)))["recorded"]
