"""What revocation does to a password (H8), on a host with real accounts: alice is a
person, sue a member of sudo, and both have a token and a phone."""

import re

import pytest

from host import PASSWORD, ROOT, until_end, wait_for
from test_tokens import hotp

MAIL = "alice@example.org"


def with_token(host, name, serial):
    host.write("/root/tokens.csv", "serial,type,secret,digits,counter,algorithm\n"
               f"{serial},hotp,3132333435363738393031323334353637383930,6,0,sha1\n", 0o600)
    host.run("magotpctl", "token", "import", "/root/tokens.csv", "--format", "csv")
    host.run("magotpctl", "token", "assign", serial, name)
    host.run("setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "magotp",
             "token", "add", serial, hotp(0), hotp(1))


def prepared(host, on_revoke, mail=MAIL):
    host.install(f"[licences]\nmode = automatic\n[lifecycle]\non_revoke = {on_revoke}\n")
    host.person("alice", phones=())
    host.run("magotpctl", "account", "add", "alice", *(["--email", mail] if mail else []))
    with_token(host, "alice", "HT-0003401")
    host.run("magotpctl", "enroll", "alice", "--phone", "+12025550134")
    code = host.code(host.message("+12025550134"))
    host.run("magotpctl", "phone", "verify", "alice", "p1", "-", input=code + "\n")
    host.sshd()
    return host


def shadow(host, name):
    return host.run("getent", "shadow", name).stdout.split(":")[1:3]


def settled(host):
    wait_for("the helper", lambda: "password account=alice: done" in host.logs(), 30)


def code_login(host, password, *command):
    """Password, phone, code; what comes next is the caller's."""
    child = host.ssh("alice", *command)
    child.expect("Password:")
    child.sendline(password)
    child.expect("Enter for 1:")
    before = len([m for m in host.messages() if m["to"] == "+12025550134"])
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message("+12025550134", after=before)))
    return child


def change(child, old, new):
    child.expect("(?i)required to change your password")
    child.expect("(?i)current password: ?")
    child.sendline(old)
    child.expect("(?i)new password: ?")
    child.sendline(new)
    child.expect("(?i)retype new password: ?")
    child.sendline(new)


def test_H8_expire_the_next_login_demands_a_new_password(empty_host):
    host = prepared(empty_host, "expire")
    before = shadow(host, "alice")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    settled(host)
    assert shadow(host, "alice") == [before[0], "0"]  # the same password, of day 0
    child = code_login(host, PASSWORD, "magotp status")
    change(child, PASSWORD, "another horse 8")
    assert "Phone OTP" in until_end(child)
    child = code_login(host, "another horse 8", "echo in")
    assert "required to change" not in until_end(child)


def test_H8_reset_the_temporary_password_comes_by_mail_and_must_be_changed(empty_host):
    host = prepared(empty_host, "reset")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    settled(host)
    mails = {m["subject"]: m["text"] for m in host.messages() if m["to"] == MAIL}
    text = mails["A temporary password for your account"]
    temporary = re.search(r"Your temporary password: (\S+)\n", text).group(1)
    assert re.fullmatch(r"[0-9a-z]{5}-[0-9a-z]{5}-[0-9a-z]{3}", temporary)
    child = host.ssh("alice", "true")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("(?i)password:|denied")
    child.close(force=True)
    child = code_login(host, temporary, "magotp status")
    change(child, temporary, "another horse 8")
    assert "Phone OTP" in until_end(child)
    # It was in the mail and nowhere else.
    for place in ("/var/lib/magotp", "/var/lib/magotp-smsd", "/run/magotp", "/etc"):
        assert host.run("grep", "-rqsaF", temporary, place, check=False).returncode == 1, place
    assert temporary not in host.logs() + host.syslog()


def test_H8_a_mail_that_cannot_go_out_locks_nobody_out(empty_host):
    """Until the mail is taken the old password works, to be changed. A restart in
    between goes on."""
    host = prepared(empty_host, "reset")
    host.stop(host.smsd)
    before = shadow(host, "alice")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    wait_for("ageing", lambda: shadow(host, "alice") == [before[0], "0"])
    host.kill_broker()
    host.start_smsd()
    host.start_broker()
    settled(host)
    assert shadow(host, "alice")[0] != before[0] and shadow(host, "alice")[1] == "0"
    text = host.message(MAIL)["text"]
    wait_for("the mail", lambda: any("temporary password:" in m["text"] for m in host.messages()))
    assert text


def started_by_units(host):
    """As the units start it: sockets of systemd's, a key that it lends, never root; the
    password helper for itself, with what its unit leaves."""
    unit = (ROOT / "conf/systemd/otpcored-password@.service.in").read_text()
    caps = re.search(r"^CapabilityBoundingSet=(.+)$", unit, re.M).group(1).split()
    bounding = ",".join(["-all"] + ["+" + c.removeprefix("CAP_").lower() for c in caps])
    host.run("sh", "-c", "rm -f /run/magotp/*.sock; mkdir -p /run/lent && chmod 711 /run/lent && "
             "install -o magotp -m 400 /etc/magotp/master.key /run/lent/master.key")
    activate = "systemd-socket-activate"
    host.daemon(activate, "--accept", "--inetd", "--seqpacket", "-l", "/run/magotp/password.sock",
                         "setpriv", f"--bounding-set={bounding}", "--no-new-privs", "otpcored", "--password-helper",
                log=host.shared / "helper.log")
    host.broker = host.daemon(activate, "--seqpacket", "-l", "/run/magotp/otpcored.sock",
                              "-E", "CREDENTIALS_DIRECTORY=/run/lent", "setpriv", "--reuid=magotp",
                              "--regid=magotp", "--init-groups", "--bounding-set=-all", "--no-new-privs",
                              "otpcored", "--foreground", log=host.shared / "otpcored.log")
    wait_for("the sockets", lambda: host.run("sh", "-c", "chmod 666 /run/magotp/otpcored.sock && "
             "chown magotp /run/magotp/password.sock && chmod 600 /run/magotp/password.sock",
             check=False).returncode == 0)
    wait_for("otpcored", lambda: host.answers("account", "list"))


def test_H8_the_helper_does_with_what_the_unit_leaves_it(empty_host):
    host = prepared(empty_host, "reset")
    host.stop(host.broker)
    started_by_units(host)
    uid = host.run("id", "-u", "magotp").stdout.strip()
    assert f"/UID {uid} to /run/magotp/password.sock" in (host.shared / "helper.log").read_text()
    before = shadow(host, "alice")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    settled(host)
    assert shadow(host, "alice")[0] != before[0] and shadow(host, "alice")[1] == "0"
    assert host.run("stat", "-c", "%U:%G %a", "/etc/shadow").stdout == "root:shadow 640\n"
    # Nobody else has the helper's ear, nor is one of root's own taken for the manager's.
    done = host.run("setpriv", "--reuid=nobody", "--clear-groups", "python3", "-c",
                    "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)"
                    ".connect('/run/magotp/password.sock')", check=False)
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize("why, how", [
    ("a member of a privileged group", ("usermod", "-aG", "sudo", "alice")),
    ("it has no password", ("passwd", "-q", "-l", "alice")),
])
def test_H8_threat_42_privileged_and_locked_accounts_are_left_alone(empty_host, why, how):
    host = prepared(empty_host, "reset")
    host.run(*how)
    before = shadow(host, "alice")
    host.run("magotpctl", "revoke", "alice", "t1", "--reason", "lost", "--yes")
    wait_for("the answer", lambda: f"given up: {why}" in host.logs())
    assert shadow(host, "alice") == before
    wait_for("word of it", lambda: any(why in m["text"] for m in host.messages()))


def test_H8_threat_42_system_accounts_are_left_alone(empty_host):
    host = prepared(empty_host, "expire")
    host.run("chpasswd", input="games:secret horse 9\n")
    before = shadow(host, "games")
    host.run("magotpctl", "account", "add", "games")
    with_token(host, "games", "HT-0003402")
    host.run("magotpctl", "revoke", "games", "t1", "--reason", "lost", "--yes")
    wait_for("the answer", lambda: "given up: a system account" in host.logs())
    assert shadow(host, "games") == before


def token_login(host, counter, *command):
    child = host.ssh("alice", *command)
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline(hotp(counter))
    return child


def test_H8_revoked_by_its_owner_the_own_session_ends_and_others_lose_its_strength(empty_host):
    host = prepared(empty_host, "keep")
    other = token_login(host, 2)
    other.expect(r"\$ ")
    other.sendline("magotp status; echo done")
    other.expect("hardware-otp")
    other.expect("done\r\n")
    child = token_login(host, 3)
    child.expect(r"\$ ")
    child.sendline("magotp token revoke --yes")
    child.expect("2 sessions lost the strength it gave, this one too")
    child.expect("This session ends")
    until_end(child)
    other.sendline("magotp status; echo done")
    other.expect("done\r\n")
    assert "hardware-otp" not in other.before and "revoked" in other.before, other.before
    other.sendline("exit")
    until_end(other)


def test_H8_in_a_pipe_the_own_session_is_only_named(empty_host):
    host = prepared(empty_host, "keep")
    child = token_login(host, 2, "magotp token revoke --yes </dev/null; echo still here")
    seen = until_end(child)
    assert "Log out: this session rested on it." in seen and "still here" in seen, seen
