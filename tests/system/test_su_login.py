"""su and login in the private host, and magotp elevate."""

import pexpect

from host import PASSWORD, ROOT, until_end


def code_dialogue(host, child, before):
    child.expect("Password: ")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message(after=before)))


def test_su_asks_for_the_targets_second_factor(host):
    host.write("/etc/pam.d/su", (ROOT / "conf/examples/su").read_text())
    host.run("useradd", "-m", "bob")
    before = len(host.messages())
    child = host.spawn("setpriv", "--reuid=bob", "--regid=bob", "--clear-groups",
                       "su", "alice", "-c", "id -un")
    code_dialogue(host, child, before)
    assert "alice" in until_end(child)
    assert child.exitstatus == 0


def test_su_by_root_is_not_asked(host):
    host.write("/etc/pam.d/su", (ROOT / "conf/examples/su").read_text())
    assert host.run("su", "alice", "-c", "id -un").stdout == "alice\n"


def test_login_on_a_terminal(host):
    host.write("/etc/pam.d/login", (ROOT / "conf/examples/login").read_text())
    before = len(host.messages())
    child = host.spawn("login", "alice")
    code_dialogue(host, child, before)
    child.expect(r"\$ ")
    child.sendline("magotp status; exit")
    seen = until_end(child)
    assert "Phone OTP (phone-otp)" in seen, seen


def test_elevate_raises_a_session_that_skipped(empty_host):
    empty_host.install("[licences]\nmode = automatic\n[service sshd]\nrequire = password\nskip = yes\n")
    empty_host.person()
    empty_host.sshd()
    child = empty_host.ssh("alice")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ")
    child.sendline("s")
    child.expect(r"\$ ")
    child.sendline("magotp status --json | tr -d ' \\n'; echo")
    child.expect('"strength":"password"')
    child.expect(r"\$ ")
    child.sendline("magotp phone add +12025550199; echo rc=$?")
    before = len(empty_host.messages())
    child.expect("Enter for 1: ")
    child.sendcontrol("c")
    child.expect(r"rc=130")
    child.sendline("magotp elevate; echo rc=$?")
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(empty_host.code(empty_host.message(after=before)))
    child.expect("rc=0")
    child.sendline("magotp status; exit")
    assert "Phone OTP (phone-otp)" in until_end(child)
