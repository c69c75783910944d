"""doctor: each check finds what is wrong, and says so only then."""

import glob
import json
import os
import shutil
import re
import stat
import subprocess
from pathlib import Path

import pytest

from desk import ENV

TOP = Path(__file__).resolve().parents[2]
GOOD = """auth requisite pam_unix.so
auth required pam_magotp.so
account required pam_magotp.so
account required pam_unix.so
"""


@pytest.fixture
def pam(desk):
    path = os.path.join(desk.dir, "pam.d")
    os.mkdir(path)

    def put(text, name="ftp"):
        with open(os.path.join(path, name), "w") as f:
            f.write(text)
    put(GOOD)
    put("auth required pam_permit.so\n", "quiet")
    put.dir = path
    return put


def doctor(desk, pam, *args):
    """Rows by id; several of one id are several entries."""
    p = subprocess.run(desk._argv("magotpctl", ("--json", "doctor", "--pam-dir", pam.dir, *args)),
                       capture_output=True, text=True, env=ENV, cwd="/", timeout=60)
    rows = {}
    for row in json.loads(p.stdout):
        rows.setdefault(row["id"], []).append(row)
    assert p.returncode == any(r["severity"] == "error" for rs in rows.values() for r in rs)
    return rows


def severities(rows, name):
    return [r["severity"] for r in rows.get(name, [])]


def test_all_is_well(desk, pam):
    desk.with_phone("games")
    desk.ctl("break-glass", "games", "--reason", "setup", "--until", "1y")
    rows = doctor(desk, pam)
    for name in ("config", "broker", "smsd", "break-glass", "master-key", "store", "journal", "socket",
                 "pam-auth", "pam-account", "broker-down", "unenrolled"):
        assert set(severities(rows, name)) == {"ok"}, (name, rows.get(name))
    assert not [r for rs in rows.values() for r in rs if r["severity"] == "error"], rows
    assert rows["pam-account"][0]["message"] == \
        "logins that the auth lines did not see have to meet the requirement, too"
    assert [r["subject"] for r in rows["gateway"]] == ["", "", ""]
    assert {r["service"] for rs in rows.values() for r in rs} == {"", "ftp"}  # not "quiet"
    assert set(rows["broker"][0]) == {"id", "severity", "service", "subject", "file", "line",
                                      "message", "fix", "command"}


def test_exit_codes_and_the_form_for_pipes(desk, pam):
    desk.with_phone("games")
    p = desk.ctl("doctor", "--pam-dir", pam.dir)  # no break-glass code: a warning only
    line = next(x for x in p.stdout.splitlines() if x.startswith("break-glass"))
    assert line.split("\t")[:2] == ["break-glass", "warning"]
    assert "magotpctl account add YOU; magotpctl break-glass YOU" in line
    assert re.search(r"^0 errors, \d+ warnings?, \d+ ok\. Man page: magotp-doctor\(7\)$", p.stderr, re.M)
    desk.ctl("doctor", "--strict", "--pam-dir", pam.dir, code=1)
    pam(GOOD.replace("requisite", "required"))
    desk.ctl("doctor", "--pam-dir", pam.dir, code=1)


def test_what_it_says_of_break_glass_works_as_it_stands(desk, pam):
    """In a house where nobody has an account yet, word for word; and again."""
    fix = doctor(desk, pam)["break-glass"][0]["fix"].replace("YOU", "games")
    for _ in range(2):
        p = subprocess.run(["sh", "-c", fix.replace("magotpctl", '"$0" --config "$1"'),
                            os.path.join(desk.bin, "magotpctl"), desk.conf_file],
                           capture_output=True, text=True, env=ENV, cwd="/", timeout=60)
        assert p.returncode == 0, p.stderr
    assert [r["message"] for r in doctor(desk, pam)["break-glass"]] == ["2 codes"]


def test_on_a_terminal_it_reads_as_in_the_manual(desk, pam):
    child = desk.terminal("magotpctl", "doctor", "--pam-dir", pam.dir)
    child.expect(r"ok +broker +answers in \d+ ms, sqlite, schema 3\r\n")
    child.expect(r"warning +break-glass +no way in[^\r]*\r\n +Fix: magotpctl account add YOU")
    child.expect(r"\d+ ok\. Man page: magotp-doctor\(7\)")


def test_a_daemon_that_does_not_answer(desk, pam):
    desk.stop("smsd")
    rows = doctor(desk, pam)
    assert severities(rows, "smsd") == ["error"] and rows["smsd"][0]["command"] == "magotp-smsd"
    desk.stop("broker")
    rows = doctor(desk, pam)
    assert severities(rows, "broker") == ["error"] and "gateway" not in rows


def test_a_configuration_with_a_mistake(desk, pam):
    with open(desk.conf_file, "a") as f:
        f.write("[service ftp]\nrequre = phone-otp\n")
    rows = doctor(desk, pam)
    assert list(rows) == ["config"] and severities(rows, "config") == ["error"]
    assert "requre" in rows["config"][0]["message"]


def test_a_mistake_in_a_drop_in_names_the_drop_in(desk, pam):
    os.mkdir(desk.conf_file + ".d")
    path = desk.conf_file + ".d/mine.conf"
    with open(path, "w") as f:
        f.write("[service ftp]\nrequre = phone-otp\n")
    (row,) = doctor(desk, pam)["config"]
    assert (row["subject"], row["file"], row["line"]) == (path, path, 2), row
    assert path in row["fix"] and "config edit" not in row["fix"] and not row["command"], row
    with open(path, "w") as f:
        f.write("[service ftp]\nrequire = there-is-none\n")
    assert doctor(desk, pam)["config"][0]["subject"] == path
    os.unlink(path)
    with open(desk.conf_file, "a") as f:
        f.write("[service ftp]\nrequre = phone-otp\n")
    (row,) = doctor(desk, pam)["config"]
    assert row["subject"] == desk.conf_file and row["command"] == "magotpctl config edit", row


def test_a_mistake_in_smsd_conf(desk, pam):
    shutil.copy(desk.program("magotp-smsd"), desk.bin)
    (row,) = doctor(desk, pam)["smsd-config"]
    assert row["severity"] == "ok", row
    desk.smsd_conf(**{"gateway other": {"driver": "there-is-none", "channels": "sms"}})
    (row,) = doctor(desk, pam)["smsd-config"]
    assert row["severity"] == "error" and "there-is-none" in row["message"], row
    assert row["subject"] == desk.smsd_file


def of_sms(rows):
    return [(r["severity"], r["message"]) for r in rows["gateway"] if "sms" in (r["subject"], r["message"][-3:])]


def last_error(desk):
    (said,) = (g["last_error"] for g in desk.json("gateway", "list") if "sms" in g["channels"])
    return said


def restart_smsd(desk, **sections):
    desk.stop("smsd")
    desk.smsd_conf(**sections)
    desk.start_smsd()


def test_the_only_gateway_never_sends(desk, pam):
    desk.with_phone("games")
    restart_smsd(desk)
    assert of_sms(doctor(desk, pam)) == [("ok", "1 for sms")]
    shutil.rmtree(desk.outbox)
    for _ in range(3):
        assert desk.login("games").send()[0].verdict == "send-failed"
    (row,) = of_sms(doctor(desk, pam))
    assert row[0] == "error" and "No such file" in last_error(desk) and last_error(desk) in row[1], row


def test_the_only_gateway_rests(desk, pam):
    """Nobody listens there."""
    desk.with_phone("games")
    restart_smsd(desk, **{"gateway outbox": {"channels": "voice email"}, "gateway carrier": {
        "driver": "smtp", "channels": "sms", "url": "smtp://127.0.0.1:1", "tls": "none",
        "from": "otp@example.org", "to_address": "{to_digits}@sms.example.org"}})
    for _ in range(3):
        desk.login("games").send()  # a call comes in its place
    rows = doctor(desk, pam)
    (row,) = rows["gateway-rests"]
    assert row["severity"] == "warning" and row["subject"] == "carrier", row
    assert re.search(r"\((\d+) of \1\)", row["message"]) and last_error(desk) in row["message"], row
    (row,) = of_sms(rows)
    assert row[0] == "error" and last_error(desk) and last_error(desk) in row[1], row
    desk.stop_hard("smsd")  # it would wait for what it still has


def test_no_gateway_for_a_channel(desk, pam):
    desk.smsd_conf(**{"gateway outbox": {"channels": "voice"}})
    desk.stop("smsd")
    desk.start_smsd()
    rows = doctor(desk, pam)
    assert {(r["subject"], r["severity"]) for r in rows["gateway"]} == {
        ("sms", "error"), ("", "ok"), ("email", "warning")}


def test_codes_by_e_mail_are_said_to_be_no_second_factor(desk, pam):
    desk.smsd_conf(**{"gateway carrier": {
        "driver": "smtp", "channels": "sms", "url": "smtp://127.0.0.1:9", "tls": "none",
        "from": "otp@example.org", "to_address": "{to_digits}@sms.example.org"}})
    desk.stop("smsd")
    desk.start_smsd()
    (row,) = doctor(desk, pam)["gateway-mail"]
    assert (row["subject"], row["severity"]) == ("carrier", "warning")
    assert "no second factor" in row["message"]


@pytest.mark.parametrize("name,path", [("master-key", "master.key"), ("store", "db/otpcore.db"),
                                       ("journal", "db/journal")])
def test_files_that_others_may_read(desk, pam, name, path):
    path = os.path.join(desk.dir, path)
    assert severities(doctor(desk, pam), name) == ["ok"]
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o040)
    assert severities(doctor(desk, pam), name) == ["error"]


def test_threat_27_a_journal_that_is_off_or_not_there(desk, pam):
    desk.ok("ping")  # it is begun by then
    os.unlink(os.path.join(desk.dir, "db/journal"))
    (row,) = doctor(desk, pam)["journal"]
    assert row["severity"] == "error" and "No such file" in row["message"], row
    desk.conf(store={**desk.sections["store"], "journal": "no"})
    (row,) = doctor(desk, pam)["journal"]
    assert row["severity"] == "warning" and "void" in row["message"], row


def test_a_store_that_was_lost_wants_its_backup(desk, pam):
    desk.ok("ping")
    shutil.copy(desk.program("otpcored"), desk.bin)
    desk.ctl("backup", desk.dir + "/a.backup")
    desk.stop("broker")
    path = os.path.join(desk.dir, "db/otpcore.db")
    os.unlink(path)
    (row,) = doctor(desk, pam)["store"]
    assert row["severity"] == "error" and row["command"] == "magotpctl restore FILE", row
    said = desk.ctl("setup", code=1).stderr
    assert "magotpctl restore FILE" in said and desk.dir + "/db/journal" in said, said
    assert not os.path.exists(path)
    desk.ctl("restore", desk.dir + "/a.backup")
    assert severities(doctor(desk, pam), "store") == ["ok"]


@pytest.mark.parametrize("name,path", [("store", "db/otpcore.db"), ("journal", "db/journal")])
def test_a_folder_or_a_file_of_another_user_in_its_place(desk, pam, name, path):
    desk.ok("ping")
    path = os.path.join(desk.dir, path)
    os.chown(path, 12345, -1)
    (row,) = doctor(desk, pam)[name]
    assert row["severity"] == "error" and "must belong to " + desk.user in row["message"], row
    assert row["command"] == "chown %s: %s" % (desk.user, path)
    desk.stop("broker")
    os.unlink(path)
    os.mkdir(path)
    (row,) = doctor(desk, pam)[name]
    assert row["severity"] == "error" and "is a folder" in row["message"], row


def test_threat_31_a_disk_that_is_full(desk, pam):
    (row,) = doctor(desk, pam)["disk"]
    assert row["severity"] == "ok", row
    disk = os.path.join(desk.dir, "small")
    os.mkdir(disk)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", disk],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip("mount: " + done.stderr)
    try:
        desk.conf(audit={"file": disk + "/audit.log"})
        (row,) = doctor(desk, pam)["disk"]
    finally:
        subprocess.run(["umount", disk], check=True)
    assert row["severity"] == "error" and row["subject"] == disk + "/audit.log", row


def test_a_master_key_in_a_tpm(desk, pam):
    path = os.path.join(desk.dir, "master.tpm")
    desk.conf(store={"master_key": "tpm:%s?tcti=device:%s/tpm" % (path, desk.dir)})
    for message in path + " is not there", "%s/tpm is not there" % desk.dir:
        (row,) = doctor(desk, pam)["master-key"]
        assert row["severity"] == "error" and message in row["message"]
        open(path, "w").close()
        os.chmod(path, 0o600)
    open(desk.dir + "/tpm", "w").close()
    assert severities(doctor(desk, pam), "master-key") == ["ok"]


def test_a_change_of_the_master_key_that_waits(desk, pam):
    shutil.copy(desk.program("otpcored"), desk.bin)
    desk.ctl("key", "rotate", "--master", "file:%s/next.key" % desk.dir)
    rows = doctor(desk, pam)["master-key"]
    assert [row["severity"] for row in rows] == ["ok", "warning"]
    assert "is being changed" in rows[1]["message"]


@pytest.mark.parametrize("text,name,line", [
    (GOOD.replace("requisite", "required"), "pam-auth", 1),
    ("auth sufficient pam_fprintd.so\n" + GOOD, "pam-auth", 1),
    (GOOD.replace("auth required pam_magotp", "auth optional pam_magotp"), "pam-auth", 2),
    (GOOD.replace("account required pam_magotp.so\n", ""), "pam-account", 0),
    (GOOD.replace("pam_magotp.so", "pam_magotp.so requires=x", 1), "pam-options", 2),
])
def test_stacks_with_a_fault(desk, pam, text, name, line):
    assert severities(doctor(desk, pam), name) in (["ok"], [])
    pam(text)
    rows = doctor(desk, pam)
    assert severities(rows, name) == ["error"]
    assert rows[name][0]["line"] == line and (not line or rows[name][0]["file"].endswith("/ftp"))


def test_options_that_weaken(make_desk):
    desk = make_desk(**{"service ftp": {"require": "hardware-otp", "level": "3", "skip": "no"}})
    directory = os.path.join(desk.dir, "pam.d")
    os.mkdir(directory)

    def put(options):
        with open(os.path.join(directory, "ftp"), "w") as f:
            f.write(GOOD.replace("auth required pam_magotp.so", "auth required pam_magotp.so" + options))
    put.dir = directory
    put(" require=mloa-hardware level=3")
    rows = doctor(desk, put)
    assert "weaker" not in rows and severities(rows, "broker-down") == ["ok"]
    put(" require=phone-otp level=2 nullok broker_down=allow")
    rows = doctor(desk, put)
    assert severities(rows, "weaker") == ["warning"] * 3
    assert severities(rows, "broker-down") == ["warning"]
    assert rows["weaker"][0]["file"] == directory + "/ftp" and rows["weaker"][0]["line"] == 2


def test_settings_that_are_no_second_factor(make_desk):
    desk = make_desk(**{"service su": {"require": "password", "skip": "yes", "reuse": "8h",
                                       "observe": "yes"}})
    directory = os.path.join(desk.dir, "pam.d")
    os.mkdir(directory)
    with open(os.path.join(directory, "su"), "w") as f:
        f.write(GOOD)

    class Pam:
        dir = directory
    rows = doctor(desk, Pam)
    assert (severities(rows, "skip"), severities(rows, "skip-reuse"), severities(rows, "observe")) == (
        ["warning"], ["error"], ["warning"])


def test_people_without_a_second_factor(desk, pam):
    desk.with_phone("games")
    desk.person("news")
    rows = doctor(desk, pam, "--user", "games")
    assert severities(rows, "unenrolled") == ["warning"]
    assert "1 of 2 accounts" in rows["unenrolled"][0]["message"]
    assert severities(rows, "user") == ["ok"]
    rows = doctor(desk, pam, "--user", "news", "--service", "ftp")
    assert severities(rows, "user") == ["error"]
    assert rows["user"][0]["command"] == "magotpctl explain ftp news"


def test_a_service_that_is_not_enabled(desk, pam):
    rows = doctor(desk, pam, "--service", "quiet")
    assert severities(rows, "pam-auth") == ["error"]
    assert rows["pam-auth"][0]["command"] == "magotpctl enable quiet"


PASSWORD_SERVICES = [
    ("auth required pam_unix.so\n", None),
    ("auth [success=2 default=ignore] pam_unix.so\nauth [success=1 default=ignore] pam_sss.so use_first_pass\n"
     "auth requisite pam_deny.so\nauth required pam_permit.so\n", None),
    (None, "no such file"),
    ("auth required pam_permit.so\n", "nothing in it checks a password"),
    ("auth required pam_unix.so\nauth required pam_oath.so\n", "asks for more than the password"),
    ("auth required pam_unix.so\nauth required pam_magotp.so\n", "asks pam_magotp again"),
    ("auth include nowhere\n", "not understood"),
]


@pytest.mark.parametrize("text, why", PASSWORD_SERVICES)
def test_threat_16_the_service_that_is_asked_for_the_password(desk, pam, text, why):
    pam("auth required pam_magotp.so prompt_password\naccount required pam_magotp.so\n")
    if text:
        pam(text, "magotp-password")
    rows = doctor(desk, pam, "--service", "ftp")["password-service"]
    assert [r["severity"] for r in rows] == ["error" if why else "ok"], rows
    assert not why or (why in rows[0]["message"] and rows[0]["line"] == 1), rows


def test_threat_16_a_service_that_asks_itself_or_a_path(desk, pam):
    for name, why in (("ftp", "this service itself"), ("../x", "no name of a service")):
        pam("auth required pam_magotp.so prompt_password password_service=%s\n" % name)
        rows = doctor(desk, pam, "--service", "ftp")["password-service"]
        assert len(rows) == 1 and why in rows[0]["message"], rows
    pam(GOOD)
    assert "password-service" not in doctor(desk, pam, "--service", "ftp")


def test_what_waits_to_be_confirmed(desk, pam):
    with open(os.path.join(pam.dir, "ftp"), "w") as f:
        f.write("auth requisite pam_unix.so\naccount required pam_unix.so\n"
                "session required pam_unix.so\n")
    assert "unconfirmed" not in doctor(desk, pam)
    desk.ctl("enable", "ftp", "--confirm", "1h", "--pam-dir", pam.dir)
    assert severities(doctor(desk, pam), "unconfirmed") == ["warning"]
    desk.ctl("disable", "ftp")


def test_every_id_stands_in_the_manual():
    text = "".join(Path(f).read_text() for f in glob.glob(str(TOP / "magotp/*doctor*.c")))
    ids = set(re.findall(r'\.id = "([a-z-]+)"', text))
    ids |= set(re.findall(r'(?:doctor_ok|warning|error|found|judge)\(d, (?:PAM_\w+, )?"([a-z-]+)"', text))
    ids |= set(re.findall(r'"(sshd-[a-z]+)"', text))
    ids |= set(re.findall(r'struct own_file\){\s*"([a-z-]+)"', text))
    assert len(ids) > 25, ids
    manual = (TOP / "docs/magotp-doctor.7").read_text()
    listed = {w for line in re.findall(r"^\.It Li (.*)$", manual, re.M) for w in line.split(" , ")}
    assert ids == listed
