"""A sysadmin's first hour: the shipped /etc/pam.d/sshd and sshd_config of this host, a
real sshd, and no step that locks out."""

import json
import socket
import subprocess

import pytest

from host import PASSWORD, free_port, until_end, wait_for

DROPIN = "/etc/ssh/sshd_config.d/magotp.conf"


@pytest.fixture
def fresh(empty_host):
    """magotp installed, alice with a phone and bob without; sshd as Debian sets it up."""
    host = empty_host
    host.install()
    host.person()
    host.person("bob", phones=())
    host.write("/etc/sudoers.d/alice", "alice ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.sshd_port = free_port()
    key = host.shared / "hostkey"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    host.write("/etc/ssh/sshd_config", f"""Include /etc/ssh/sshd_config.d/*.conf
Port {host.sshd_port}
ListenAddress 127.0.0.1
HostKey {key}
PidFile /run/sshd-test.pid
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PrintMotd no
""")
    host.daemon("/usr/sbin/sshd", "-D", "-e", log=host.shared / "sshd.log")
    wait_for("sshd", lambda: answers(host))
    host.pam_before = host.run("cat", "/etc/pam.d/sshd").stdout
    return host


def answers(host):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", host.sshd_port)) == 0


def both(*command):
    """ssh with whatever sshd offers for a password."""
    return ("-o", "PreferredAuthentications=keyboard-interactive,password", *command)


def password_login(host, user):
    child = host.ssh(user, "echo in as $(id -un)", options=both())
    child.expect("assword:")
    child.sendline(PASSWORD)
    return child


def full_login(host, user="alice"):
    before = len(host.messages())
    child = host.ssh(user)
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message(after=before)))
    child.expect(r"\$ ")
    return child


def say(child, command):
    """What a command prints in the shell, and its exit code at the end."""
    child.sendline("stty -echo; " + command + "; echo rc=$?=")
    child.expect(r"rc=(\d+)=")
    return int(child.match.group(1)), child.before


def as_before(host):
    return (host.run("cat", "/etc/pam.d/sshd").stdout == host.pam_before
            and host.run("test", "-e", DROPIN, check=False).returncode == 1
            and host.run("sh", "-c", "ls /etc/magotp/enabled/*.state", check=False).returncode != 0)


def doctor(host):
    """Severity, fix and message of the worst row of each id."""
    rows = json.loads(host.run("magotpctl", "--json", "doctor", "--service", "sshd", check=False).stdout)
    rows.sort(key=lambda r: ("ok", "warning", "error").index(r["severity"]))
    return {r["id"]: (r["severity"], r["fix"], r["message"]) for r in rows}


def test_first_hour(fresh):
    host = fresh
    assert "in as bob" in until_end(password_login(host, "bob"))
    found = doctor(host)
    assert found["sshd-kbdint"][:2] == ("error", "magotpctl enable sshd"), found
    assert found["pam-auth"][:2] == ("error", "magotpctl enable sshd")
    assert found["sshd-kbdint"][2].startswith("/etc/ssh/sshd_config: KbdInteractiveAuthentication no"), found
    p = host.run("magotpctl", "enable", "sshd", "--observe")
    assert "was told to read its files again" in p.stderr, p.stderr
    wait_for("sshd again", lambda: answers(host))
    # Nobody is refused or asked; also not while the broker is down.
    assert "in as bob" in until_end(password_login(host, "bob"))
    sent = len(host.messages())
    assert "in as alice" in until_end(password_login(host, "alice"))
    assert len(host.messages()) == sent
    said = host.run("magotpctl", "report", "--would-refuse", "sshd").stdout
    assert [line.split("\t")[:3] for line in said.splitlines()] == [["bob", "no-account", "1"]], said
    host.kill_broker()
    assert "in as bob" in until_end(password_login(host, "bob"))
    host.start_broker()

    host.run("magotpctl", "enable", "sshd", "--confirm", "5m")
    wait_for("sshd again", lambda: answers(host))
    # From where it was enabled it can't be confirmed.
    p = host.run("magotpctl", "confirm", check=False)
    assert p.returncode == 1 and "is not confirmed" in p.stderr
    child = full_login(host)
    rc, said = say(child, "/usr/sbin/magotpctl confirm")  # not root
    assert rc == 1 and "magotpctl confirm --login alice" in said, said
    rc, said = say(child, "sudo magotpctl confirm")
    assert rc == 0 and "sshd stays as it is" in said, said
    child.close()
    found = doctor(host)
    assert [i for i, row in found.items() if row[0] == "error"] == [], found
    assert "not-enabled" in host.run("magotpctl", "confirm", check=False).stderr
    # bob has no second factor.
    child = password_login(host, "bob")
    child.expect(["Login refused", "Enter for 1:", "denied"])
    child.close()

    host.run("magotpctl", "disable", "sshd")
    assert as_before(host)
    wait_for("sshd again", lambda: answers(host))
    assert "in as bob" in until_end(password_login(host, "bob"))


def test_a_session_older_than_the_change_confirms_nothing(fresh):
    host = fresh
    host.run("magotpctl", "enable", "sshd")
    wait_for("sshd again", lambda: answers(host))
    child = full_login(host)
    host.run("magotpctl", "enable", "sshd", "--confirm", "5m")
    rc, said = say(child, "sudo magotpctl confirm")
    assert rc == 1 and "older than the change" in said, said
    child.close()
    host.run("magotpctl", "disable", "sshd")
    assert as_before(host)


def test_root_confirms_by_the_session_of_somebody_who_is_no_root(fresh):
    """Where nobody who logs in may become root: root says whose login it goes by."""
    host = fresh
    host.run("rm", "/etc/sudoers.d/alice")
    early = host.ssh("alice", options=both())
    early.expect("assword:")
    early.sendline(PASSWORD)
    early.expect(r"\$ ")
    host.run("magotpctl", "enable", "sshd", "--confirm", "5m")
    wait_for("sshd again", lambda: answers(host))

    def confirm(who):
        return host.run("magotpctl", "confirm", "--login", who, check=False)
    for who in ("alice", "bob", "nobody-of-that-name"):  # alice's session is an older one
        p = confirm(who)
        assert p.returncode == 1 and "is not confirmed" in p.stderr, p.stderr
    child = full_login(host)
    p = confirm("bob")
    assert p.returncode == 1 and "no session of that account is open" in p.stderr, p.stderr
    child.sendline("exit")
    child.expect("closed")
    early.close()
    wait_for("both are closed", lambda: json.loads(
        host.run("magotpctl", "--json", "session", "list").stdout) == [])
    assert "no session of that account is open" in confirm("alice").stderr
    child = full_login(host)
    p = confirm("alice")
    assert p.returncode == 0 and "sshd stays as it is" in p.stdout, p.stderr
    child.close()
    host.run("magotpctl", "disable", "sshd")
    assert as_before(host)


def test_goes_back_by_itself_and_logins_work_again(fresh):
    host = fresh
    host.run("magotpctl", "enable", "sshd", "--confirm", "3s")
    assert not as_before(host)
    wait_for("back", lambda: as_before(host), 20)
    wait_for("sshd again", lambda: answers(host))
    assert "in as bob" in until_end(password_login(host, "bob"))


def kill_watchers(host):
    pids = host.run("sh", "-c", "for p in /proc/[0-9]*; do case $(readlink $p/exe) in "
                    "*/enable-watch) [ $(readlink $p/ns/mnt) = $(readlink /proc/self/ns/mnt) ] && "
                    "echo ${p#/proc/};; esac; done; true").stdout.split()
    assert len(pids) >= 2, pids
    host.run("kill", "-9", *pids)


def test_goes_back_also_when_both_watchers_are_killed(fresh):
    """The next magotpctl of root's sees it."""
    host = fresh
    host.run("magotpctl", "enable", "sshd", "--confirm", "3s")
    kill_watchers(host)
    wait_for("overdue", lambda: host.run("magotpctl", "account", "list", check=False).returncode == 0
             and as_before(host), 20)


def test_goes_back_when_otpcored_is_started_by_hand(fresh):
    """No watcher, no systemd, nobody types magotpctl: the broker's start sees it."""
    host = fresh
    host.run("magotpctl", "enable", "sshd", "--confirm", "5m")
    host.kill_broker()
    host.run("sed", "-i", "/^deadline/d; /^boot/d", "/etc/magotp/enabled/sshd.state")
    host.run("sh", "-c", "printf 'deadline 1\n' >> /etc/magotp/enabled/sshd.state")
    assert not as_before(host)  # but for the watchers, who look twice a second
    host.daemon("otpcored", "--foreground", log=host.shared / "otpcored.log")
    wait_for("back", lambda: as_before(host))
    assert "in as bob" in until_end(password_login(host, "bob"))


ROOT_LOGINS = [
    ("PermitRootLogin no", "", "ok", "root does not log in"),
    ("PermitRootLogin yes", "", "ok", "root is asked like everybody"),
    ("PermitRootLogin prohibit-password", "", "warning", "the account line refuses a key alone"),
    ("PermitRootLogin prohibit-password", "publickey_alone = allow", "ok", "that is enough"),
    ("PermitRootLogin prohibit-password", "exempt_users = alice root", "ok", "that is enough"),
    ("PermitRootLogin prohibit-password\nAuthenticationMethods publickey,keyboard-interactive:pam", "",
     "warning", "AuthenticationMethods asks for a code")]
METHODS = [("any", "ok"), ("publickey,keyboard-interactive:pam", "ok"), ("publickey,password", "error"),
           ("keyboard-interactive:pam password", "warning"),
           ("publickey keyboard-interactive", "warning"), ("publickey", "error")]


def test_doctor_reads_what_sshd_lets_root_do_and_its_methods(empty_host):
    host = empty_host
    host.install()
    host.run("ssh-keygen", "-A")
    base = "UsePAM yes\nKbdInteractiveAuthentication yes\n"
    for sshd, conf, severity, text in ROOT_LOGINS:
        host.write("/etc/ssh/sshd_config", base + sshd + "\n")
        host.write("/etc/magotp/magotp.conf", f"[service sshd]\n{conf}\n")
        row = doctor(host)["sshd-root"]
        assert row[0] == severity and text in row[2], (sshd, conf, row)
    for methods, severity in METHODS:
        host.write("/etc/ssh/sshd_config", f"{base}AuthenticationMethods {methods}\n")
        assert doctor(host)["sshd-methods"][0] == severity, methods


def test_sshd_files_that_say_otherwise_are_left_alone(fresh):
    host = fresh
    host.write("/etc/ssh/sshd_config.d/10-site.conf", "# ours\nKbdInteractiveAuthentication no\n")
    p = host.run("magotpctl", "enable", "sshd", check=False)
    assert p.returncode == 1
    assert "/etc/ssh/sshd_config.d/10-site.conf:2 comes before" in p.stderr, p.stderr
    assert as_before(host)
    host.run("sh", "-c", "rm /etc/ssh/sshd_config.d/10-site.conf; sed -i /Include/d /etc/ssh/sshd_config")
    p = host.run("magotpctl", "enable", "sshd", check=False)
    assert p.returncode == 1 and as_before(host)
    assert "Include /etc/ssh/sshd_config.d/*.conf" in p.stderr or "comes before" in p.stderr, p.stderr


def test_disable_undoes_what_failed_halfway(fresh):
    """sshd -t refuses its files: nothing stays behind."""
    host = fresh
    host.run("sh", "-c", "echo Nonsense yes >> /etc/ssh/sshd_config")
    p = host.run("magotpctl", "enable", "sshd", check=False)
    assert p.returncode == 1 and "sshd -t" in p.stderr
    assert as_before(host)
    assert "in as bob" in until_end(password_login(host, "bob"))


def try_login(host, code=None, *options):
    before = len(host.messages())
    child = host.spawn("magotpctl", "try", "sshd", "alice", *options)
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(code or host.code(host.message(after=before)))
    return child


def test_try_before_anything_is_enabled(fresh):
    host = fresh
    seen = until_end(child := try_login(host))
    assert child.exitstatus == 0, seen
    assert "alice would be LET IN: phone-otp." in seen and "nothing was enabled" in seen, seen
    assert "Needs     phone-otp, level 1" in seen
    assert as_before(host)
    assert host.run("sh", "-c", "ls -d /run/magotp-try-*", check=False).returncode != 0
    assert json.loads(host.run("magotpctl", "--json", "session", "list").stdout) == []


def test_try_refuses_as_the_login_would(fresh):
    host = fresh
    child = host.spawn("magotpctl", "try", "sshd", "alice")
    child.expect("Password: ")
    child.sendline("not the password")
    seen = until_end(child)
    assert child.exitstatus == 1 and "alice would be REFUSED in the auth phase" in seen, seen
    child = try_login(host, "000000")
    for _ in range(2):
        child.expect("Wrong code")
        child.expect("Code: ")
        child.sendline("000000")
    seen = until_end(child)
    assert child.exitstatus == 1 and "Verdict   tries-exceeded" in seen, seen
    # The stack that is in place, once it is.
    host.run("magotpctl", "enable", "sshd")
    seen = until_end(try_login(host))
    assert "would be LET IN" in seen and "nothing was enabled" not in seen, seen
    # The echo comes back when it is interrupted.
    child = host.spawn("bash", "--norc")
    child.expect("# ")
    child.sendline("magotpctl try sshd alice")
    child.expect("Password: ")
    child.sendcontrol("c")
    child.expect("# ")
    child.sendline("stty -a | grep -o '[-]*echo '; ls -d /run/magotp-try-*")
    child.expect(r"\becho \r\n")
    child.expect("No such file")


def test_try_needs_a_terminal_and_a_stack(fresh):
    host = fresh
    assert host.run("magotpctl", "try", "sshd", "alice", check=False).returncode == 2
    host.write("/etc/pam.d/odd", "auth required pam_permit.so\n")
    child = host.spawn("magotpctl", "try", "odd", "alice")
    assert "cannot be tried" in until_end(child)
    assert child.exitstatus == 1


def test_sudo_is_confirmed_by_a_sudo(fresh):
    """It keeps the session that it is called from: the latest login counts."""
    host = fresh
    host.write("/etc/sudoers.d/alice", "alice ALL=(ALL) ALL\n", 0o440)
    p = host.run("magotpctl", "enable", "sudo", "--confirm", "5m")
    assert "timestamp_timeout=0" in p.stderr
    found = json.loads(host.run("magotpctl", "--json", "doctor", "--service", "sudo",
                                check=False).stdout)
    assert [r["severity"] for r in found if r["id"] == "sudo-timestamp"] == ["warning"]
    assert host.run("sudo", "-n", "id", "-un").stdout == "root\n"  # root's own goes on
    host.write("/etc/sudoers.d/magotp", "Defaults timestamp_timeout=0\n", 0o440)
    child = host.ssh("alice", options=both())
    child.expect("assword:")
    child.sendline(PASSWORD)
    child.expect(r"\$ ")
    before = len(host.messages())
    child.sendline("sudo magotpctl confirm; echo rc=$?=")
    child.expect("assword")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message(after=before)))
    child.expect(r"rc=(\d+)=")
    assert child.match.group(1) == "0" and "sudo stays as it is" in child.before, child.before
    child.close()
    host.run("magotpctl", "disable", "sudo")
