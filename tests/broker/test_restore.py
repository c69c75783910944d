"""Backup and restore: what was spent since the backup stays spent (security.md 27)."""

import json
import os
import pwd
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

import oath
import postgres
import relays
from house import FAKETIME, Neighbour, needs_root

ANNA, BERND, CLARA = 12001, 12002, 12003
HOTP, RECOVERY = 4, 0
PG = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
STORES = ["sqlite", pytest.param("postgresql", marks=PG)]


@pytest.fixture(scope="module")
def server():
    """Started when somebody asks for it."""
    with postgres.Postgres() as server:
        yield server


def verdict(answer):
    return answer[0].error or answer[0].verdict


def tool(house, *args, check=True):
    """otpcored for a backup or a restore; what it said."""
    done = house.run("otpcored", "--config", house.conf_file, *args, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def backup(house, name="a.backup"):
    path = os.path.join(house.dir, name)
    tool(house, "--backup", path)
    return path


def journal(house):
    return house.sections["store"]["journal"]


def stop(house):
    house.ok("ping")  # it has begun to listen to signals
    assert house.stop("broker") == 0


def lose(house):
    """The store is gone, as after a disk was replaced."""
    if house.server:
        house.server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return
    for end in ("", "-wal", "-shm"):
        if os.path.exists("%s/db/otpcore.db%s" % (house.dir, end)):
            os.unlink("%s/db/otpcore.db%s" % (house.dir, end))


def restore(house, path, *args):
    """The broker is stopped, the store gone; afterwards it serves the backup."""
    stop(house)
    lose(house)
    said = json.loads(tool(house, "--restore", path, "--json", *args).stdout)
    house.start_broker()
    return said


class Owner:
    """Somebody with a HOTP token."""

    def __init__(self, house, user, serial, uid):
        self.house, self.user = house, user
        self.seed = oath.seed(serial)
        house.account(user, uid=uid)
        oath.stock(house, self.seed)
        house.ok("token_add", {"user": user, "serial": serial, "code1": self.code(0),
                               "code2": self.code(1)})

    def code(self, n):
        return oath.hotp(self.seed["secret"], n)

    def login(self, n):
        return verdict(self.house.login(self.user).verify(self.code(n), ref=HOTP))


def recover(house, user, code):
    return verdict(house.login(user)._call("verify", None, ref=RECOVERY, code=code))


def key(house, **fields):
    return house.ok("licence_issue", {"product": "hardware", "count": 1, **fields})["keys"][0]["key"]


def state(house, user, uid):
    return [t["state"] for t in house.ok("token_mine", {"user": user}, uid=uid)["tokens"]]


def furnish(house):
    """anna, bernd and clara with HOTP tokens, ten recovery codes of anna's, two keys."""
    house.conf(throttle={"delay_after": 100, "total_30d": 100}, hardware={"lock_after": 20})
    house.start()
    house.anna = Owner(house, "anna", "A100", ANNA)
    house.bernd = Owner(house, "bernd", "B100", BERND)
    house.clara = Owner(house, "clara", "C100", CLARA)
    house.codes = [c["code"] for c in house.ok("recovery_codes", {"user": "anna"})["codes"]]
    house.keys = [key(house), key(house)]


@pytest.fixture(params=STORES)
def bare(house, request):
    """Not started yet."""
    house.server = None
    if request.param == "postgresql":
        house.server = request.getfixturevalue("server")
        house.server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        house.conf(store={"url": house.server.url})
    return house


@pytest.fixture
def full(bare):
    furnish(bare)
    return bare


@pytest.fixture
def one(house):
    """The same over SQLite alone."""
    house.server = None
    furnish(house)
    return house


def spend(house):
    """Three codes, a licence key, a recovery code; bernd's token is revoked."""
    assert [house.anna.login(n) for n in (2, 3, 4)] == ["ok"] * 3
    house.ok("activate", {"user": "clara", "key": house.keys[0]})
    assert recover(house, "anna", house.codes[0]) == "ok"
    house.ok("token_revoke", {"user": "bernd", "id": "t1"})


def replay(house):
    """All of it again; what was accepted."""
    again = [house.anna.login(n) for n in (2, 3, 4)]
    again.append(verdict(house.call("activate", {"user": "clara", "key": house.keys[0]})))
    again.append(recover(house, "anna", house.codes[0]))
    again += [house.bernd.login(n) for n in (2, 3)]
    return [v for v in again if v == "ok"]


def test_threat_27_what_was_spent_stays_spent(full):
    path = backup(full)
    spend(full)
    said = restore(full, path)
    assert said["covered"] is True
    assert (said["counters"], said["licences_used"], said["recovery_codes_used"],
            said["tokens_revoked"]) == (3, 1, 1, 1)
    assert replay(full) == []
    assert state(full, "bernd", BERND) == ["revoked"]
    # What nobody used is as good as ever: within a window and a block of codes.
    assert "ok" in [full.anna.login(n) for n in range(5, 26)]
    assert full.clara.login(13) == "ok"
    assert recover(full, "anna", full.codes[1]) == "ok"
    full.ok("activate", {"user": "clara", "key": full.keys[1]})


def test_threat_27_twice_from_the_same_backup(one):
    """The journal goes on: a second restore knows what was spent after the first."""
    path = backup(one)
    spend(one)
    restore(one, path)
    assert recover(one, "anna", one.codes[1]) == "ok"
    said = restore(one, path)
    assert said["covered"] is True and said["recovery_codes_used"] == 2
    assert replay(one) == []
    assert recover(one, "anna", one.codes[1]) == "code-wrong"


def last_step(house, serial):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT moving FROM token WHERE serial = ?", (serial,)).fetchone()[0]


def test_threat_27_codes_by_the_clock_and_deletions(one):
    """An app's code of now is not good twice; a deleted phone, and what it was sent, is gone;
    a locked account stays locked, one that was an administrator is none."""
    seed = oath.seed("T100", type=oath.TOTP)
    oath.stock(one, seed)
    one.account("dora", uid=12004, role="organisation-admin", organisation="Example")
    now = int(time.time())
    one.ok("token_add", {"user": "dora", "serial": "T100",
                         "code1": oath.totp(seed["secret"], now - 60),
                         "code2": oath.totp(seed["secret"], now - 30)})
    one.phone("anna")
    kept = one.phone("anna")
    path = backup(one)
    code = oath.totp(seed["secret"], now)
    assert verdict(one.login("dora").verify(code, ref=HOTP)) == "ok"
    one.ok("phone_delete", {"user": "anna", "ref": 1})
    one.ok("account_set", {"user": "dora", "role": "user"})
    said = restore(one, path)
    assert said["covered"] is True and said["phones_deleted"] == 1
    assert verdict(one.login("dora").verify(code, ref=HOTP)) in ("code-used", "code-wrong")
    assert [p["masked"] for p in one.ok("phone_list", {"user": "anna"})["phones"]] == [kept[-4:]]
    assert one.ok("account_show", {"user": "dora"})["accounts"][0]["role"] == "user"


def test_threat_27_without_the_journal(full):
    """Counting tokens need an administrator's reset with two codes; one-time secrets are void."""
    path = backup(full)
    spend(full)
    stop(full)
    lose(full)
    os.unlink(journal(full))
    said = json.loads(tool(full, "--restore", path, "--json").stdout)
    assert said["covered"] is False and "journal is missing" in said["why"]
    assert (said["tokens_suspended"], said["recovery_codes_void"], said["licences_void"]) == (
        3, 10, 2)
    full.start_broker()
    assert replay(full) == []
    assert state(full, "clara", CLARA) == ["suspended"] and full.clara.login(2) != "ok"
    result, _ = full.call("token_resume", {"user": "clara", "id": "t1"})
    assert result.verdict == "not-allowed" and "two codes that it shows now" in result.detail
    full.ok("token_resume", {"user": "clara", "id": "t1", "code1": full.clara.code(5),
                             "code2": full.clara.code(6)})
    assert full.clara.login(5) == "code-used" and full.clara.login(7) == "ok"
    assert verdict(full.call("activate", {"user": "anna", "key": full.keys[1]})) != "ok"
    assert recover(full, "anna", full.codes[5]) != "ok"


def test_threat_27_a_journal_that_was_set_aside_is_named(one):
    """The store was lost, an empty one made with another key: the restore says where the right
    journal is."""
    path = backup(one)
    spend(one)
    stop(one)
    lose(one)
    aside = journal(one) + ".1700000000"
    os.rename(journal(one), aside)
    for text, code in ("no journal" * 100, 1), ("", 0):
        with open(journal(one), "w") as f:
            f.write(text)
        os.chmod(journal(one), 0o600)
        said = tool(one, "--restore", path, check=False)
        assert said.returncode == code and "--journal " + aside in said.stderr, said.stderr
    lose(one)  # it was found in time
    os.unlink(journal(one))
    assert json.loads(tool(one, "--restore", path, "--journal", aside, "--json").stdout)["covered"] is True
    one.start_broker()
    assert replay(one) == []


def test_threat_27_a_snapshot_took_the_journal_along(one):
    """Store and journal of the same moment: nothing tells what was spent since."""
    stop(one)
    before = os.path.join(one.dir, "before")
    shutil.copytree(os.path.join(one.dir, "db"), before)
    one.start_broker()
    spend(one)
    stop(one)
    shutil.rmtree(os.path.join(one.dir, "db"))
    shutil.copytree(before, os.path.join(one.dir, "db"))
    said = json.loads(tool(one, "--restore-in-place", "--snapshot", "--dry-run", "--json").stdout)
    assert (said["changed"], said["tokens_suspended"]) == (False, 3)
    said = json.loads(tool(one, "--restore-in-place", "--snapshot", "--json").stdout)
    assert (said["changed"], said["covered"], said["tokens_suspended"],
            said["recovery_codes_void"]) == (True, False, 3, 10)
    one.start_broker()
    assert replay(one) == []
    (aside,) = re.findall(r"a new journal is begun.*the old one is now (\S+)", one.log())
    assert os.path.exists(aside)


def test_threat_27_a_store_rolled_back_alone_is_noticed(full):
    """A snapshot of the database only: the broker does not serve from it until the journal
    was done again."""
    stop(full)
    if full.server:
        full.server.stop()
        shutil.copytree(full.server.data, full.server.data + ".before")
        full.server.start()
    else:
        shutil.copy("%s/db/otpcore.db" % full.dir, "%s/db/before" % full.dir)
    full.start_broker()
    spend(full)
    stop(full)
    if full.server:
        full.server.stop()
        shutil.rmtree(full.server.data)
        os.rename(full.server.data + ".before", full.server.data)
        shutil.chown(full.server.data, "postgres")
        for top, dirs, files in os.walk(full.server.data):
            for name in dirs + files:
                os.chown(os.path.join(top, name), *owner_of("postgres"))
        full.server.start()
    else:
        os.rename("%s/db/before" % full.dir, "%s/db/otpcore.db" % full.dir)
    assert "the store is older than" in refused(full)
    said = json.loads(tool(full, "--restore-in-place", "--json").stdout)
    assert said["covered"] is True and said["recovery_codes_used"] == 1
    full.start_broker()
    assert replay(full) == []
    assert state(full, "bernd", BERND) == ["revoked"]


def owner_of(user):
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def refused(house):
    """The broker does not serve; what it says. (Its socket listens before it has looked.)"""
    try:
        assert house.start_broker().wait(10) == 1
        house.processes.pop("broker")
    except RuntimeError:
        pass
    return house.log()


def test_a_restore_in_place_that_was_cut_short_is_repeated(one):
    stop(one)
    with sqlite3.connect("%s/db/otpcore.db" % one.dir) as db:
        db.execute("INSERT INTO meta VALUES ('restoring', 1)")
    db.close()
    assert "a restore in place was cut short" in refused(one)
    tool(one, "--restore-in-place")
    one.start_broker()
    one.ok("ping")


def test_threat_27_kill_9_is_no_rollback(one):
    """Whatever moment the broker dies at, its next start finds store and journal together."""
    for n in range(2, 8):
        assert one.anna.login(n) == "ok"
        assert recover(one, "anna", one.codes[n]) == "ok"
        one.stop_hard("broker")
        one.start_broker()
    assert "a new journal is begun" not in one.log()


def test_threat_27_a_torn_journal_is_told_a_damaged_one_voids(one):
    path = backup(one)
    spend(one)
    stop(one)
    lose(one)
    whole = open(journal(one), "rb").read()
    with open(journal(one), "wb") as f:
        f.write(whole + b"half a record")
    done = tool(one, "--restore", path, "--json", "--dry-run")
    assert "its last record was never finished" in done.stderr
    assert json.loads(done.stdout)["covered"] is True
    flipped = bytearray(whole)
    flipped[64 * 3 + 20] ^= 1
    with open(journal(one), "wb") as f:
        f.write(flipped)
    said = json.loads(tool(one, "--restore", path, "--json").stdout)
    assert said["covered"] is False and "damaged" in said["why"]
    assert said["tokens_suspended"] == 3
    one.start_broker()
    assert replay(one) == []


def test_threat_27_a_journal_that_cannot_be_written(house):
    """Logins go on; it is said, and a restore does not rely on the journal."""
    house.server = None
    house.conf(throttle={"delay_after": 100})
    house.start_smsd()
    house.start_broker(fault="journal.write:fail:1+")
    house.anna = Owner(house, "anna", "A100", ANNA)
    assert house.anna.login(2) == "ok"
    assert "logins go on, but a restore would not know" in house.log()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        said = json.loads(tool(house, "--restore-in-place", "--dry-run", "--json").stdout)
        if "for a while" in said["why"]:
            break
        time.sleep(0.2)
    assert said["covered"] is False and "for a while" in said["why"]


def without_journal(house):
    """anna's second recovery code is used while nothing is written; the journal goes on."""
    own = journal(house)
    house.conf(store={"journal": "no"})
    house.start_broker()
    assert recover(house, "anna", house.codes[1]) == "ok"
    stop(house)
    house.conf(store={"journal": own})
    house.start_broker()
    stop(house)


def pieces(house):
    """All journals of it, the newest last."""
    folder = os.path.dirname(journal(house))
    names = sorted(n for n in os.listdir(folder) if n.startswith("journal."))
    return [os.path.join(folder, n) for n in names + ["journal"]]


def covered(house, path, journals):
    """What a restore by these would say."""
    args = [a for j in journals for a in ("--journal", j)]
    return json.loads(tool(house, "--restore", path, "--dry-run", "--json", *args).stdout)


def test_threat_27_journals_with_a_gap_cover_nothing(one):
    """The one that was set aside and the one that was begun after it: neither alone nor both;
    what is newer than the gap is covered."""
    one.phone("anna")
    path = backup(one)
    stop(one)
    without_journal(one)
    one.start_broker()
    newer = backup(one, "newer")
    assert recover(one, "anna", one.codes[2]) == "ok"
    stop(one)
    lose(one)
    old, new = pieces(one)
    for journals in ([old], [new], [old, new], [new, old]):
        said = covered(one, path, journals)
        assert said["covered"] is False and said["recovery_codes_void"] > 0, journals
    assert "set aside" in covered(one, path, [old])["why"]
    for journals in ([new], [old, new]):
        said = covered(one, newer, journals)
        assert said["covered"] is True and said["recovery_codes_used"] == 1, journals
    tool(one, "--restore", path, "--journal", old, "--journal", new)
    one.start_broker()
    assert [recover(one, "anna", c) for c in one.codes[:4]] == ["code-wrong"] * 4


def test_threat_27_a_broker_that_never_had_a_journal_covers_nothing(one):
    """What was used at it is in no other broker's."""
    stop(one)
    own, name = journal(one), one.sections["broker"].get("host_identity")
    one.conf(store={"journal": "no"}, broker={"host_identity": "second"})
    one.start_broker()
    stop(one)
    one.conf(store={"journal": own}, broker={"host_identity": name or "first"})
    one.start_broker()
    path = backup(one)
    stop(one)
    lose(one)
    said = covered(one, path, [own])
    assert said["covered"] is False and said["why"].endswith("for a while on: second")


def test_threat_27_a_journal_that_was_away_covers_nothing(one):
    """Its disk was not there, and another was begun. It does not know that, but the other does."""
    path = backup(one)
    stop(one)
    away = os.path.join(one.dir, "away")
    os.rename(journal(one), away)
    one.start_broker()
    assert recover(one, "anna", one.codes[1]) == "ok"
    stop(one)
    lose(one)
    said = covered(one, path, [away, journal(one)])
    assert said["covered"] is False and "begun after the backup" in said["why"]
    assert said["recovery_codes_void"] > 0


def test_threat_27_an_older_journal_in_its_place_does_not_go_on(one):
    path = backup(one)
    stop(one)
    away = os.path.join(one.dir, "away")
    os.rename(journal(one), away)
    one.start_broker()
    assert recover(one, "anna", one.codes[1]) == "ok"
    stop(one)
    os.rename(away, journal(one))
    one.start_broker()
    stop(one)
    assert "it is not the one that was written last" in one.log()
    lose(one)
    old = pieces(one)[0]
    assert covered(one, path, [old])["covered"] is False
    # What was set aside stays so, wherever it is put.
    os.rename(old, journal(one))
    tool(one, "--restore", path, "--snapshot")
    one.start_broker()
    stop(one)
    assert one.log().count("a new journal is begun") == 3


def remembered(house):
    """Whether the store knows of a gap."""
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return [v for v, in db.execute("SELECT value FROM meta WHERE name LIKE 'journal_gap %'")]


def test_threat_29_a_failed_sync_of_the_journal_writes_it_anew(one):
    """The next sync would say that all is well: Linux may have dropped what this one lost."""
    path = backup(one)
    stop(one)
    before = os.stat(journal(one)).st_ino
    one.start_broker(fault="journal.sync:fail:1")
    assert recover(one, "anna", one.codes[1]) == "ok"
    assert "nothing can be written (Input/output error)" in one.log()
    stop(one)
    assert os.stat(journal(one)).st_ino != before and remembered(one) == [0]
    lose(one)
    said = covered(one, path, [journal(one)])
    assert said["covered"] is True and said["recovery_codes_used"] == 1


def test_threat_29_a_failed_sync_that_nothing_mends_is_a_gap(one):
    """The store knows, and the file itself: the store may be lost with what it knows."""
    path = backup(one)
    stop(one)
    os.mkdir(journal(one) + ".new")  # where it would be written anew
    one.start_broker(fault="journal.sync:fail:1")
    assert recover(one, "anna", one.codes[1]) == "ok"
    stop(one)
    assert "cannot be written anew" in one.log() and remembered(one) == [1]
    lose(one)
    said = covered(one, path, [journal(one)])
    assert said["covered"] is False and "not written for a while" in said["why"]
    assert said["recovery_codes_used"] == 1  # what it has it still says


@pytest.mark.parametrize("make, why", [(os.mkdir, "Is a directory"), (os.mkfifo, "Invalid argument")],
                         ids=["folder", "pipe"])
def test_a_journal_that_cannot_be_opened_is_counted(house, make, why):
    """Its disk is not there, or is not magotp's: logins go on, and an alarm can see it."""
    house.server = None
    path = os.path.join(house.dir, "journal.d")
    house.conf(store={"journal": path})
    house.setup()
    make(path)
    house.start()
    assert numbers(house)["magotp_journal_failures_total"] >= 1
    assert f"{path}: system call failed: {why}; logins go on without a journal" in house.log()


def numbers(house):
    return {row["name"]: row["value"] for row in house.ok("stats")["stats"]}


def test_a_backup_under_load_is_of_one_moment(full):
    """Codes that were accepted before it began are used in it; nothing is half there."""
    ended = threading.Event()

    def load():
        while not ended.is_set():
            full.call("account_set", {"user": "clara", "first": "C%d" % random.randrange(10**6)})
            full.login("bernd").verify("000000", ref=HOTP)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for n in range(3):
            assert full.anna.login(2 + n) == "ok"
            path = backup(full, "load%d" % n)
            with sqlite3.connect(path) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert db.execute("SELECT moving FROM token WHERE serial = 'A100'").fetchone()[
                    0] >= 3 + n
                assert db.execute("SELECT count(*) FROM account").fetchone() == (3,)
            assert oct(os.stat(path).st_mode)[-3:] == "600"
    finally:
        ended.set()
        for t in threads:
            t.join()
    assert glob_names(full) == []


def glob_names(house):
    """What a backup or a restore left behind."""
    return [n for n in os.listdir(house.dir) + os.listdir(os.path.join(house.dir, "db"))
            if "partial" in n or "working" in n]


def test_a_killed_tool_leaves_nothing_half_written(one):
    for i in range(200):
        oath.stock(one, *[oath.seed("S%03d%03d" % (i, k)) for k in range(20)]) if i < 20 else None
    path = backup(one)
    chance = random.Random(27)
    kills = 0
    for n in range(12):
        target = os.path.join(one.dir, "killed%d" % n)
        args = (["--backup", target] if n % 2 else
                ["--restore", path, "--to", "sqlite:%s/db/killed%d.db" % (one.dir, n)])
        p = subprocess.Popen([one.program("otpcored"), "--config", one.conf_file, *args],
                             env=one._env(), stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.06)
        p.kill()
        kills += p.wait() == -signal.SIGKILL
        made = target if n % 2 else "%s/db/killed%d.db" % (one.dir, n)
        if os.path.exists(made):
            with sqlite3.connect("file:%s?mode=ro" % made, uri=True) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[
                    0] < 1000
                assert db.execute("SELECT count(*) FROM token").fetchone() == (403,)
    assert kills >= 3
    until = time.monotonic() + 10  # what a killed one had begun ends by itself
    while tool(one, "--backup", path + "2", check=False).returncode:
        assert time.monotonic() < until
        time.sleep(0.05)
    tool(one, "--restore", path, "--to", "sqlite:%s/db/whole.db" % one.dir)
    backup(one, "whole")
    assert [n for n in glob_names(one) if "working" in n] == []


def in_the_way(kind, path, other):
    """Somebody else's (uid 12005), under the name that a backup has until it is whole."""
    if kind == "a link":
        os.symlink(other, path)
    elif kind == "a second name":
        os.link(other, path)
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        open(path, "w").close()
        os.chmod(path, 0o666)
        os.chown(path, 12005, 12005)


@pytest.mark.parametrize("kind", ["another's file", "a link", "a second name", "a pipe"])
def test_threat_20_a_backup_is_written_into_nobody_elses_file(one, kind):
    """Who made the file before can read what root writes into it, and later change it."""
    folder = os.path.join(one.dir, "anybodys")
    other = os.path.join(one.dir, "other")
    with open(other, "w") as f:
        f.write("as it was")
    os.mkdir(folder)
    os.chmod(folder, 0o1777)
    path = os.path.join(folder, "a.backup")
    in_the_way(kind, path + ".partial", other)
    done = tool(one, "--backup", path, check=False)
    assert done.returncode and "this is in the way and none of our files" in done.stderr
    assert path + ".partial" in done.stderr
    assert not os.path.exists(path) and os.path.lexists(path + ".partial")
    assert open(other).read() == "as it was"
    os.unlink(path + ".partial")
    with open(path + ".partial", "w") as left:  # of a backup of ours that was killed
        tool(one, "--backup", path)
        assert os.fstat(left.fileno()).st_nlink == 0, "never the same file"
    made = os.stat(path)
    assert (made.st_uid, made.st_mode & 0o7777, made.st_nlink) == (0, 0o600, 1)


def test_what_stands_in_the_way_is_named(one):
    path = backup(one)
    done = tool(one, "--backup", path, check=False)
    assert done.returncode and "not overwritten" in done.stderr
    done = tool(one, "--restore", path, check=False)
    assert done.returncode and "otpcored is running" in done.stderr
    stop(one)
    for dry in ([], ["--dry-run"]):
        done = tool(one, "--restore", path, *dry, check=False)
        assert done.returncode and "a store is there" in done.stderr and "--to" in done.stderr
    other = os.path.join(one.dir, "nonsense")
    with open(other, "wb") as f:
        f.write(os.urandom(8192))
    lose(one)
    done = tool(one, "--restore", other, check=False)
    assert done.returncode and "not a backup" in done.stderr
    newer = os.path.join(one.dir, "newer")
    shutil.copy(path, newer)
    with sqlite3.connect(newer) as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'schema'")
    db.close()
    done = tool(one, "--restore", newer, check=False)
    assert done.returncode and "newer than this program" in done.stderr
    with open(path, "r+b") as f:
        f.seek(4096 * 2)
        f.write(os.urandom(4096 * 8))
    done = tool(one, "--restore", path, check=False)
    assert done.returncode and not os.path.exists("%s/db/otpcore.db" % one.dir)
    assert glob_names(one) == []


def test_a_drill_in_a_folder_of_its_own(one):
    """Who must own it is named; what is said at the end starts no other store; the time is
    one as everywhere."""
    path, folder = backup(one), os.path.join(one.dir, "drill")
    to = "sqlite:%s/otpcore.db" % folder
    done = tool(one, "--restore", path, "--to", to, check=False)
    assert done.returncode and "install -d -o " in done.stderr and folder in done.stderr
    os.mkdir(folder, 0o700)
    if os.geteuid() == 0 and owner_of(one.sections["broker"]["user"])[0]:
        done = tool(one, "--restore", path, "--to", to, check=False)
        assert done.returncode and "must be there and belong to" in done.stderr
        os.chown(folder, *owner_of(one.sections["broker"]["user"]))
    said = json.loads(tool(one, "--restore", path, "--to", to, "--dry-run", "--json").stdout)
    assert time.strptime(said["backup_at"], "%Y-%m-%dT%H:%M:%SZ")
    said = json.loads(tool(one, "--restore-in-place", "--dry-run", "--json").stdout)
    assert said["backup_at"] is None
    done = tool(one, "--restore", path, "--to", to)
    assert "[store] url is " + to in done.stderr and "magotpctl doctor" not in done.stderr


def test_another_master_key_is_refused(one):
    path = backup(one)
    stop(one)
    lose(one)
    os.unlink(journal(one))
    with open(os.path.join(one.dir, "master.key"), "w") as f:
        f.write("00" * 32 + "\n")
    done = tool(one, "--restore", path, check=False)
    assert done.returncode and "does not open what is in it" in done.stderr
    assert not os.path.exists("%s/db/otpcore.db" % one.dir)


def test_a_backup_of_another_master_key_is_none(one):
    """The key that it would name does not open it: that is said on the day it is made."""
    key = os.path.join(one.dir, "master.key")
    os.rename(key, key + ".right")
    with open(key, "w") as f:
        f.write("00" * 32 + "\n")
    os.chmod(key, 0o600)
    for dry in ([], ["--dry-run"]):
        done = tool(one, "--backup", os.path.join(one.dir, "a.backup"), *dry, check=False)
        assert done.returncode == 1 and done.stdout == "" and key in done.stderr
        assert "does not open what is in the store" in done.stderr
    os.unlink(key)
    done = tool(one, "--backup", os.path.join(one.dir, "a.backup"), check=False)
    assert done.returncode == 1 and "there is no master key" in done.stderr
    assert glob_names(one) == [] and not os.path.exists(os.path.join(one.dir, "a.backup"))
    os.rename(key + ".right", key)
    said = json.loads(tool(one, "--backup", os.path.join(one.dir, "a.backup"), "--json").stdout)
    assert said["written"] is True and said["key_tried"] is True


def test_a_copy_that_is_killed_says_so(one):
    """Its process gets a signal: a line of its own, and no file."""
    tool_process = subprocess.Popen(
        [one.program("otpcored"), "--config", one.conf_file, "--backup",
         os.path.join(one.dir, "a.backup")], env=one._env(), stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    said = tool_process.communicate(timeout=30)[1]
    assert tool_process.returncode == 1 and "the copy: ended by signal" in said
    assert not os.path.exists(os.path.join(one.dir, "a.backup"))


def test_the_restore_stands_in_the_audit_log(one):
    path = backup(one)
    spend(one)
    restore(one, path)
    stop(one)
    done = tool(one, "--audit-verify")
    assert "sound" in done.stderr
    with open(one.sections["audit"]["file"]) as f:
        assert " restore account=- " in f.read()


def test_threat_27_a_journal_made_smaller_says_the_same(house):
    house.server = None
    house.conf(throttle={"delay_after": 100})
    house.start_smsd()
    house.start_broker(fault="journal.compact:fail:1")
    house.anna = Owner(house, "anna", "A100", ANNA)
    path = backup(house)
    codes = []
    for _ in range(4):
        codes += [c["code"] for c in house.ok("recovery_codes", {"user": "anna"})["codes"]]
    for n in range(2, 20):
        assert house.anna.login(n) == "ok"
    assert recover(house, "anna", codes[-1]) == "ok"
    deadline = time.monotonic() + 20
    while "made smaller" not in house.log():
        assert time.monotonic() < deadline, house.log()
        time.sleep(0.1)
    assert house.anna.login(20) == "ok"
    said = restore(house, path)
    assert said["covered"] is True
    assert [house.anna.login(n) for n in range(10, 21)].count("ok") == 0


# ---- what was taken from hosts and owners ----

def enrolled(house, open_dir):
    """An auth host with anna, and a relay of it whose key a thief has copied."""
    relays.auth_host(house)
    house.start_broker()
    house.account("anna", uid=ANNA)
    relay = relays.Relay(os.path.join(open_dir, "web1"), [house], "web1")
    relay.enroll("--self-service")
    relay.stolen = os.path.join(open_dir, "stolen.pem")
    shutil.copy(relay.identity, relay.stolen)
    return relay


@pytest.fixture
def web1(house, open_dir):
    house.server = None
    return enrolled(house, open_dir)


def asks(house, identity):
    link = relays.Link(house, identity)
    try:
        result = link.call("begin", {"user": "anna", "service": "sshd", "proof": 1, "uid": ANNA})[0]
    finally:
        link.close()
    return result.error or result.verdict


def renew(house, identity):
    """The certificate of its key, a new one; the file is as it was."""
    request = subprocess.run(["openssl", "req", "-new", "-key", identity, "-subj", "/CN=web1",
                              "-outform", "DER"], check=True, capture_output=True).stdout
    link = relays.Link(house, identity)
    try:
        result = link.call("host_renew", {"request": request})[0]
    finally:
        link.close()
    assert (result.error, result.verdict) == ("", "ok")


@needs_root
def test_threat_27_the_key_of_a_host_that_was_enrolled_again(bare, open_dir):
    """Stolen, revoked, enrolled again, and restored: the thief's key is good for nothing."""
    stolen = enrolled(bare, open_dir).stolen
    path = backup(bare)
    bare.ok("host_revoke", {"name": "web1"})
    again = relays.Relay(os.path.join(open_dir, "again"), [bare], "web1")
    again.enroll()
    assert (asks(bare, stolen), asks(bare, again.identity)) == ("PERM", "ok")
    said = restore(bare, path)
    assert said["covered"] is True and said["hosts_removed"] == 1
    assert relays.hosts(bare)["web1"]["state"] == "revoked"
    assert asks(bare, stolen) == "PERM"
    again.enroll()
    assert (asks(bare, stolen), asks(bare, again.identity)) == ("PERM", "ok")


@needs_root
def test_threat_27_the_key_of_a_host_that_renewed_it(web1):
    """Nobody but a thief has the certificate of before."""
    house = web1.auth
    path = backup(house)
    renew(house, web1.identity)
    said = restore(house, path)
    assert said["covered"] is True and said["hosts_removed"] == 1
    assert asks(house, web1.stolen) == "PERM"


NARROWER = {
    "services": ({"has_services": 1, "services": "ftp"}, "PERM"),
    "accounts": ({"has_accounts": 1, "accounts": "nobody"}, "PERM"),
    "self-service": ({"has_self_service": 1, "self_service": 0}, "ok"),
}


@needs_root
@pytest.mark.parametrize("what", NARROWER)
def test_threat_27_what_a_host_may_not_any_more(web1, what):
    house, (fields, now) = web1.auth, NARROWER[what]
    path = backup(house)
    house.ok("host_set", {"name": "web1", **fields})
    assert asks(house, web1.identity) == now
    said = restore(house, path)
    assert said["covered"] is True and said["hosts_removed"] == 1
    assert asks(house, web1.identity) == "PERM"


@needs_root
def test_a_restore_leaves_hosts_and_owners_that_did_not_change(bare, open_dir):
    web1 = enrolled(bare, open_dir)
    said = restore(bare, backup(bare))
    assert (said["covered"], said["hosts_removed"], said["states"]) == (True, 0, 0)
    assert asks(bare, web1.identity) == "ok"
    assert relays.hosts(bare)["web1"]["state"] == "active"
    bare.ok("phone_list", {"user": "anna"}, uid=ANNA)


@needs_root
def test_another_brokers_older_record_takes_nothing(web1, open_dir):
    """Here the host got its key and anna her uid, there both got others, before the backup."""
    house, second = web1.auth, Neighbour(os.path.join(open_dir, "auth2"), web1.auth, "auth2")
    stop(house)
    house.start_broker()  # the store knows how far its journal is
    relays.auth_host(second)
    with second:
        second.start_broker()
        renew(second, web1.identity)
        second.ok("account_set", {"user": "anna", "has_uid": 1, "uid": BERND})
        path = backup(house)
        stop(second)
        said = restore(house, path, "--journal", journal(house), "--journal", journal(second))
    assert (said["covered"], said["hosts_removed"], said["states"]) == (True, 0, 0)
    assert asks(house, web1.identity) == "ok"
    house.ok("phone_list", {"user": "anna"}, uid=BERND)


def test_threat_27_a_former_uid_owns_nothing(bare):
    """Nor does anybody else until a login says who anna is."""
    bare.start_broker()
    bare.account("anna", uid=ANNA)
    path = backup(bare)
    bare.ok("account_set", {"user": "anna", "has_uid": 1, "uid": BERND})
    said = restore(bare, path)
    assert said["covered"] is True and said["states"] == 1
    for uid in (ANNA, BERND):
        assert bare.call("phone_list", {"user": "anna"}, uid=uid)[0].error == "PERM"
    bare.ok("phone_list", {"user": "anna"})


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
def test_threat_27_an_administrators_suspension_over_the_users(bare):
    """Its date is the one when the user suspended it."""
    bare.time_travel(0)
    furnish(bare)
    before = backup(bare, "before")
    bare.ok("token_suspend", {"user": "anna", "id": "t1"}, uid=ANNA)
    path = backup(bare)
    bare.time_travel(60)
    bare.ok("token_suspend", {"user": "anna", "id": "t1"})
    for name in (path, before):
        said = restore(bare, name)
        assert said["covered"] is True and said["states"] == 1
        result, _ = bare.call("token_resume", {"user": "anna", "id": "t1", "code1": bare.anna.code(24),
                                               "code2": bare.anna.code(25)}, uid=ANNA)
        assert result.verdict == "token-suspended-by-admin"
        assert state(bare, "anna", ANNA) == ["suspended"]
