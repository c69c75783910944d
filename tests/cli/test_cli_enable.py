"""enable, disable, confirm on a folder of PAM files: what is written, what is refused,
what comes back. Real logins: tests/system/test_enable.py."""

import json
import os
import signal
import stat
import time

import pexpect
import pytest

COMMON_AUTH = """auth	[success=1 default=ignore]	pam_unix.so nullok
auth	requisite			pam_deny.so
auth	required			pam_permit.so
auth	optional			pam_cap.so 
"""
COMMON_ACCOUNT = """account	[success=1 new_authtok_reqd=done default=ignore]	pam_unix.so
account	requisite			pam_deny.so
account	required			pam_permit.so
"""
COMMON_SESSION = """session	[default=1]			pam_permit.so
session	required	pam_unix.so
"""
FTP = """# The comment	with a tab, and no blank line behind it
@include common-auth

account    required     pam_nologin.so
@include common-account
session    required     pam_loginuid.so
@include common-session
# end, without a line end"""


@pytest.fixture
def pam(desk):
    path = os.path.join(desk.dir, "pam.d")
    os.mkdir(path)

    class Pam:
        dir = path

        @staticmethod
        def put(name, text, mode=0o644):
            file = os.path.join(path, name)
            with open(file, "w") as f:
                f.write(text)
            os.chmod(file, mode)
            return file

        @staticmethod
        def get(name):
            with open(os.path.join(path, name)) as f:
                return f.read()

        @staticmethod
        def ctl(verb, *args, code=0):
            return desk.ctl(verb, *args, "--pam-dir", path, code=code)

    Pam.put("common-auth", COMMON_AUTH)
    Pam.put("common-account", COMMON_ACCOUNT)
    Pam.put("common-session", COMMON_SESSION)
    Pam.put("ftp", FTP)
    return Pam


def state(desk, service, what="state"):
    return os.path.join(desk.dir, "enabled", "%s.%s" % (service, what))


def test_lines_go_where_they_belong_and_come_out_without_a_trace(desk, pam):
    file = pam.put("ftp", FTP, 0o640)
    os.chown(file, 0, 4)
    before = os.stat(file)
    pam.ctl("enable", "ftp")
    assert pam.get("ftp") == """# The comment	with a tab, and no blank line behind it
@include common-auth
# magotp: begin
auth       required   pam_magotp.so
# magotp: end

account    required     pam_nologin.so
# magotp: begin
account    required   pam_magotp.so
# magotp: end
@include common-account
session    required     pam_loginuid.so
@include common-session
# magotp: begin
session    required   pam_magotp.so
# magotp: end
# end, without a line end"""
    after = os.stat(file)
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    for path, mode in ((state(desk, "ftp", "before"), 0o600), (os.path.dirname(state(desk, "ftp")), 0o700)):
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
    assert open(state(desk, "ftp", "before")).read() == FTP
    once = pam.get("ftp")
    pam.ctl("enable", "ftp")  # again changes nothing
    assert pam.get("ftp") == once
    assert desk.ctl("disable", "ftp").stdout == "ftp is as it was before.\n"
    assert pam.get("ftp") == FTP
    assert not os.path.exists(state(desk, "ftp"))
    assert [f for f in os.listdir(pam.dir) if f.startswith(".")] == []
    assert desk.error(desk.ctl("disable", "ftp", code=1)) == "not-enabled"


def test_what_was_changed_meanwhile_stays(desk, pam):
    pam.ctl("enable", "ftp")
    pam.put("ftp", pam.get("ftp").replace("pam_nologin.so", "pam_nologin.so successok"))
    p = desk.ctl("disable", "ftp")
    assert "was changed meanwhile" in p.stderr
    assert pam.get("ftp") == FTP.replace("pam_nologin.so", "pam_nologin.so successok")


def test_dry_run_shows_the_lines_and_writes_nothing(desk, pam):
    p = pam.ctl("enable", "ftp", "--dry-run", "--observe")
    assert "    @include common-auth\n  + # magotp: begin\n" in p.stdout
    assert "  + auth       required   pam_magotp.so broker_down=allow\n" in p.stdout
    assert "observe = yes" in p.stdout and "Nothing was changed" in p.stderr
    assert pam.get("ftp") == FTP
    assert not os.path.exists(os.path.join(desk.dir, "enabled"))


def test_observe_is_a_setting_of_the_broker_until_it_is_enabled(desk, pam):
    begun = desk.login("nobody-there", "ftp").begin
    assert begun["decision"] == 1  # made up
    pam.ctl("enable", "ftp", "--observe")
    assert "session    optional   pam_magotp.so\n" in pam.get("ftp")
    assert desk.login("nobody-there", "ftp").begin["decision"] == 3
    pam.ctl("enable", "ftp")
    assert "broker_down" not in pam.get("ftp")
    assert desk.login("nobody-there", "ftp").begin["decision"] == 1
    pam.ctl("enable", "ftp", "--observe")
    desk.ctl("disable", "ftp")
    assert desk.login("nobody-there", "ftp").begin["decision"] == 1
    assert os.listdir(desk.conf_file + ".d") == []


REFUSED = {
    "a password that is not required": "auth required pam_unix.so\naccount required pam_unix.so\n"
                                       "session required pam_unix.so\n",
    "a way round": "auth sufficient pam_fprintd.so\n" + FTP + "\n",
    "a substack that goes on": FTP.replace("@include common-auth", "auth substack common-auth") + "\n",
    "no password at all": "auth required pam_permit.so\naccount required pam_permit.so\n",
    "a file that is not there": "@include common-missing\n",
    "no stack": "auth perhaps pam_unix.so\n",
    "ours already": FTP.replace("@include common-account", "account required pam_magotp.so\n"
                                "@include common-account") + "\n",
    "half a mark": "# magotp: end\n" + FTP + "\n",
    "no line end where a line goes": "auth requisite pam_unix.so\naccount required pam_unix.so\n"
                                     "session required pam_unix.so",
}


@pytest.mark.parametrize("what", REFUSED)
def test_threat_08_stacks_that_are_not_understood_are_left_alone(desk, pam, what):
    pam.put("odd", REFUSED[what])
    p = pam.ctl("enable", "odd", code=1)
    # By hand: lines as they are written, below the one that says why.
    assert " (pam-stack)\nBy hand, below the lines that require the password:\n" \
           "auth       required   pam_magotp.so\naccount    required   pam_magotp.so\n" in p.stderr
    assert p.stderr.endswith("\npam_magotp(8) shows whole stacks.\n") and "?" not in p.stderr
    told = json.loads(pam.ctl("--json", "enable", "odd", code=1).stderr)
    assert told["error"] == "pam-stack" and "\nauth       required   pam_magotp.so\n" in told["message"]
    assert pam.get("odd") == REFUSED[what]
    assert not os.path.exists(state(desk, "odd"))


@pytest.mark.parametrize("service", ["common-auth", "cron", "../ftp", "other", "magotp-password"])
def test_services_that_are_none_to_enable(desk, pam, service):
    pam.ctl("enable", service, code=1)


def test_su_and_sudo_let_root_go_on(desk, pam):
    pam.put("su", "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n")
    pam.ctl("enable", "su")
    assert pam.get("su").count("pam_magotp.so") == 1
    pam.put("sudo", "@include common-auth\n@include common-account\n")
    p = pam.ctl("enable", "sudo")
    assert "timestamp_timeout=0" in p.stderr
    lines = pam.get("sudo").splitlines()
    assert lines[lines.index("@include common-account") - 3:][:2] == [
        "account    [success=1 default=ignore] pam_succeed_if.so quiet ruser = root",
        "account    required   pam_magotp.so service=sudo"]


SU_L = "auth include su\naccount include su\npassword include su\nsession include su\n"


@pytest.mark.parametrize("name", ["su-l", "su-site"])
def test_what_includes_su_is_done_with_su(desk, pam, name):
    """su-l includes su, which has no account line of ours: nothing is amiss."""
    pam.put("su", "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n"
                  "@include common-session\n")
    pam.put(name, SU_L)
    pam.ctl("enable", "su")
    rows = json.loads(pam.ctl("--json", "doctor", "--service", name).stdout)
    wrong = [r for r in rows if r["id"].startswith("pam-") and r["severity"] != "ok"]
    assert not wrong, wrong
    p = pam.ctl("enable", name, code=1)
    assert desk.error(p) == "included" and "because it includes su (" in p.stderr, p.stderr
    assert "By hand" not in p.stderr and pam.get(name) == SU_L


@pytest.mark.parametrize("includes", [False, True])
def test_try_su_by_root_meets_what_others_meet(desk, pam, includes):
    pam.put("su", "auth sufficient pam_rootok.so\nauth required pam_deny.so\n"
                  "auth requisite pam_unix.so\naccount required pam_permit.so\n")
    pam.put("su-l", SU_L)
    child = desk.terminal("magotpctl", "try", "su-l" if includes else "su", "nobody-there",
                          "--pam-dir", pam.dir)
    child.expect("Password: ")
    child.sendline("wrong")
    child.expect("nobody-there would be REFUSED in the auth phase")
    child.expect(r"Lines that let root through \(pam_rootok\) were left out")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert "pam_rootok" in pam.get("su")


def test_only_root_and_only_with_a_broker(desk, pam):
    desk.stop("broker")
    assert desk.error(pam.ctl("enable", "ftp", code=3)) == "broker-unavailable"
    assert pam.get("ftp") == FTP
    desk.start_broker()
    p = desk._pipe("magotpctl", ("enable", "ftp", "--pam-dir", pam.dir), 1, "", "games")
    assert desk.error(p) == "not-allowed"


# ---- confirm ----

def watchers(desk):
    """Pids of this desk's watchers."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read().split(b"\0")
        except OSError:
            continue
        if line[0].endswith(b"/enable-watch") and desk.conf_file.encode() in line:
            found.append(int(pid))
    return found


def wait(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(what)


def test_goes_back_when_nobody_confirms(desk, pam):
    said = json.loads(desk.ctl("--json", "enable", "ftp", "--confirm", "2s", "--pam-dir", pam.dir).stdout)
    assert said["service"] == "ftp" and said["reverts_at"]
    assert "pam_magotp.so" in pam.get("ftp")
    wait("two watchers", lambda: len(watchers(desk)) == 2)
    wait("back", lambda: pam.get("ftp") == FTP)
    wait("forgotten", lambda: not os.path.exists(state(desk, "ftp")))
    wait("watchers are gone", lambda: not watchers(desk))


def test_goes_back_after_kill_9_of_a_watcher(desk, pam):
    pam.ctl("enable", "ftp", "--confirm", "6s")
    for _ in range(3):  # each time the other one starts it again
        wait("two watchers", lambda: len(watchers(desk)) == 2)
        killed = watchers(desk)[0]
        os.kill(killed, signal.SIGKILL)
        # Else the next round may see it die, and kill the one that is left.
        wait("one is gone", lambda: killed not in watchers(desk))
    wait("back", lambda: pam.get("ftp") == FTP)


def test_confirm_from_no_such_session_confirms_nothing(desk, pam):
    assert desk.error(desk.ctl("confirm", code=1)) == "not-enabled"
    pam.ctl("enable", "ftp", "--confirm", "1h")
    p = desk.ctl("confirm", code=1)
    assert "is not confirmed" in p.stderr
    desk.ctl("disable", "ftp")
    assert pam.get("ftp") == FTP
    wait("watchers are gone", lambda: not watchers(desk))


def test_enabled_again_without_confirm_it_stays(desk, pam):
    pam.ctl("enable", "ftp", "--confirm", "3s")
    pam.ctl("enable", "ftp")
    wait("watchers are gone", lambda: not watchers(desk))
    time.sleep(3)
    assert "pam_magotp.so" in pam.get("ftp")


@pytest.mark.parametrize("time_", ["soon", "0s", "2d"])
def test_confirm_wants_a_time(desk, pam, time_):
    pam.ctl("enable", "ftp", "--confirm", time_, code=2)
    pam.ctl("enable", "ftp", "--confirm", "10m", "--observe", code=2)
    assert pam.get("ftp") == FTP
