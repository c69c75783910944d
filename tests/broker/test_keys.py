"""The store's keys: a new one online, beside logins and over every kind of death; another
master key; and what a copy of the database is worth without its key (security.md 26)."""

import concurrent.futures
import contextlib
import glob
import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import oath
import postgres
from house import FAKETIME, TOP, UID_UNKNOWN, House, Neighbour, needs_root
from load import Client
from peers import wait_for

OLD_STAYS = 700  # seconds, and a little
SEALED = (("account", "email", 0), ("phone", "number", 0), ("token", "secret", 0),
          ("authority", "secret", 0), ("login", "answer", 10))
NEXT, CURRENT, OLD = 1, 2, 3  # the states of a data key
PEPPERS = 2

needs_clock = pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")


def file_of(house):
    return house.dir + "/db/otpcore.db"


def rows(house, sql):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % file_of(house), uri=True,
                                            timeout=10)) as db:
        return db.execute(sql).fetchall()


def change(house, sql, *values):
    with contextlib.closing(sqlite3.connect(file_of(house))) as db, db:
        db.execute(sql, values)


def keys(house):
    """{id in hex: state} of the data keys."""
    return {"%08x" % i: state for i, state in
            rows(house, "SELECT id, state FROM data_key WHERE kind = 1")}


def current(house):
    return [i for i, state in keys(house).items() if state == CURRENT][0]


def used(house):
    """{id: how many cells it has sealed}, read from the file."""
    found = {}
    for table, column, head in SEALED:
        for (value,) in rows(house, "SELECT %s FROM %s WHERE length(%s) > %d"
                             % (column, table, column, head)):
            key = value[head:head + 4].hex()
            found[key] = found.get(key, 0) + 1
    return found


def tool(house, *args):
    return [house.program("magotpctl"), "--config", house.conf_file, *args]


def ctl(house, *args, code=0):
    done = subprocess.run(tool(house, *args), env=house._env(), capture_output=True, text=True)
    assert done.returncode == code, (args, done.stdout, done.stderr, house.log()[-2000:])
    return done.stdout + done.stderr


def start(house, **how):
    """It answers: the socket is there before the store is."""
    house.start_broker(**how)
    house.ok("ping")


def restart(house, **how):
    house.stop("broker")
    start(house, **how)


def refuses(house, why):
    with contextlib.suppress(RuntimeError):
        house.start_broker()
    assert house.processes.pop("broker").wait(10) == 1
    assert why in house.log(), house.log()


def dies(house, fault):
    """At its start."""
    with contextlib.suppress(RuntimeError):
        house.start_broker(fault=fault)
    assert house.processes.pop("broker").wait(10) == -signal.SIGKILL, fault


def people(house, n, first=0):
    """Accounts with an address, every tenth with a phone; what must stay readable."""
    house.known = getattr(house, "known", {})
    for i in range(first, first + n):
        name, email = "p%03d" % i, "p%03d@example.org" % i
        house.account(name, email=email)
        house.known[name] = (email, house.phone(name) if i % 10 == 0 else None)


def all_open(house, phones=None):
    """Every address and number is read by the broker; and a login takes a code."""
    phones = phones or house
    seen, cursor = {}, ""
    while True:
        page = house.ok("account_list", {"cursor": cursor})
        seen.update({a["name"]: a["email"] for a in page["accounts"]})
        cursor = page["next"]
        if not cursor:
            break
    number = None
    for name, (email, number_of) in house.known.items():
        assert seen[name] == email
        number = number_of or number
        if number_of:
            login = house.login(name)
            assert login.send()[0].verdict == "ok"
            assert login.verify(phones.code(number_of))[0].verdict == "ok"
    # found by its keyed hash: the peppers are what they were
    house.account("twin%d" % time.monotonic_ns())


def old_goes(house):
    """Time enough passes: nothing but the current key, in the table and in the rows."""
    house.time_travel(OLD_STAYS)
    restart(house)  # it looks at once, not within five seconds
    wait_for("the end of old keys", lambda: len(keys(house)) == 1, 20)
    assert set(used(house)) <= set(keys(house)), (used(house), keys(house))


@pytest.fixture
def full(house):
    if FAKETIME:
        house.time_travel(0)
    house.conf(phone={"sends_per_hour": 100})
    house.start()
    people(house, 30)
    return house


@needs_clock
def test_threat_26_rotation_beside_logins(full):
    before = current(full)
    people(full, 170, first=30)
    clients = [Client([full, full], "k%d" % i) for i in range(3)]
    for c in clients:
        c.start()
    for turn in range(3):
        said = [len(c.accepted) for c in clients]
        out = ctl(full, "key", "rotate")
        assert re.search(r"^\d+ rows are now under the key %s" % current(full), out, re.M), out
        wait_for("logins meanwhile", lambda: all(
            len(c.accepted) > n for c, n in zip(clients, said)), 20)
    for c in clients:
        c.stop = True
    for c in clients:
        c.join(20)
    # nobody was refused for it
    assert not [c.odd for c in clients if c.odd]
    now = used(full)
    assert before not in {k for k in now if now[k] > 30}  # answers of logins at most
    assert not rows(full, "SELECT 1 FROM account WHERE hex(substr(email, 1, 4)) = '%s'"
                    % before.upper())
    assert len(keys(full)) == 4
    all_open(full)
    old_goes(full)
    all_open(full)
    assert before not in used(full) and "is removed" in full.log()


@needs_clock
def test_a_login_that_is_under_way_goes_on(full):
    login = full.login("p000")
    assert login.send()[0].verdict == "ok"
    ctl(full, "key", "rotate")
    # its ticket and its row are under the key that ends
    assert login.send(seq=1)[0].verdict == "ok"
    assert login.verify(full.code(full.known["p000"][1]))[0].verdict == "ok"
    assert login.account()[0].verdict == "ok"
    assert len(keys(full)) == 2
    old_goes(full)


# A new key, its turn, the rows, the end of the old one; each before its commit, or after.
POINTS = ["key.changed:kill:1", "key.change:kill:2", "key.page:kill:2", "store.commit:kill:4",
          "key.changed:kill:3"]
if os.environ.get("MAGOTP_LONG", "0") != "0":
    POINTS += ["key.change:kill:1", "key.changed:kill:2", "key.change:kill:3",
               *("%s:kill:%d" % (point, n) for point in ("key.page", "store.claim", "store.commit")
                 for n in range(1, 9))]


@needs_clock
def test_threat_26_killed_at_any_step_it_goes_on(full):
    """kill -9 of the broker at every step of a rotation, and of the removal."""
    for point in POINTS:
        before = current(full)
        restart(full, fault=point)
        done = subprocess.run(tool(full, "key", "rotate"), env=full._env(), capture_output=True)
        assert full.processes["broker"].wait(10) == -signal.SIGKILL, (point, done)
        assert done.returncode != 0
        start(full)
        all_open(full)
        ctl(full, "key", "rotate")
        assert current(full) != before and len(keys(full)) <= 3, (point, keys(full))
        all_open(full)
        old_goes(full)
    for point in ("key.page:kill:5", "key.change:kill:1", "key.changed:kill:1"):
        ctl(full, "key", "rotate")
        full.stop("broker")
        full.time_travel(OLD_STAYS)
        full.start_broker(fault=point)
        assert full.processes["broker"].wait(20) == -signal.SIGKILL, point
        start(full)
        old_goes(full)
        all_open(full)


@needs_clock
def test_a_tool_that_is_killed_is_run_again(full):
    restart(full, fault="key.page:delay30:1+")
    for _ in range(6):
        p = subprocess.Popen(tool(full, "key", "rotate"), env=full._env(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.01, 0.2))
        p.kill()
        p.wait()
        # One is current; of the others one at most still has rows, or waits. A run that
        # came to its end leaves one that is for tickets only.
        states = list(keys(full).values())
        assert states.count(CURRENT) == 1 and states.count(NEXT) + states.count(OLD) <= 1
    ctl(full, "key", "rotate")
    moved = used(full)
    assert not rows(full, "SELECT 1 FROM phone WHERE lower(hex(substr(number, 1, 4))) <> '%s'"
                    % current(full)), moved
    all_open(full)
    # and if nobody runs it again, the broker ends it
    p = subprocess.Popen(tool(full, "key", "rotate"), env=full._env(),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("a new key", lambda: current(full) not in moved)
    p.kill()
    p.wait()
    old_goes(full)
    all_open(full)


def test_a_row_that_nobody_can_open_keeps_its_key(full):
    before = current(full)
    (email,), = rows(full, "SELECT email FROM account WHERE name = 'p003'")
    change(full, "UPDATE account SET email = ? WHERE name = 'p003'",
           email[:20] + bytes([email[20] ^ 1]) + email[21:])
    assert "1 rows can't be opened by any key" in ctl(full, "key", "rotate")
    if FAKETIME:
        full.time_travel(OLD_STAYS)
        restart(full)
        wait_for("the word", lambda: "the old key %s stays" % before in full.log(), 20)
    assert before in keys(full)


# ---- who has the file only ----

def test_threat_26_a_copied_database_is_useless_without_its_key(full):
    full.stop("broker")
    copy = os.path.join(full.dir, "thief")
    os.mkdir(copy)
    with House(copy) as thief:
        os.mkdir(copy + "/db")
        for name in glob.glob(full.dir + "/db/otpcore.db*"):
            with open(name, "rb") as a, open(copy + "/db/" + os.path.basename(name), "wb") as b:
                b.write(a.read())
        with open(copy + "/master.key", "w") as f:
            f.write("%064x\n" % random.getrandbits(256))
        os.chmod(copy + "/master.key", 0o600)
        refuses(thief, "another master key than the one that the store")
        # nor with keys of the own put in: they open nothing that was there
        change(thief, "DELETE FROM data_key")
        start(thief)
        page = thief.ok("account_list", {})
        assert page["accounts"] and not any(a["email"] for a in page["accounts"])
        with open(full.dir + "/master.key") as f:
            key = f.read().strip()
        for name in glob.glob(full.dir + "/db/*"):
            with open(name, "rb") as f:
                assert bytes.fromhex(key) not in f.read()
    start(full)
    all_open(full)


def test_a_new_store_has_random_keys(house):
    start(house)
    wrapped = rows(house, "SELECT id, wrapped FROM data_key WHERE kind = 1")
    assert len(wrapped) == 1 and "%08x" % wrapped[0][0] != wrapped[0][1][:4].hex()


@pytest.mark.parametrize("point", ["key.change:kill:1", "key.changed:kill:1"])
def test_killed_at_the_first_start(house, point):
    dies(house, point)
    house.start()
    people(house, 1)
    all_open(house)


def schema(house, files, keep):
    """A store as an older version left it: its tables, with the rows of this one."""
    text = "".join(open(os.path.join(TOP, "otpcore/store/schema", f)).read() for f in files)
    text = re.sub(r"/\*sqlite: (.*?)\*/", r"\1", text).replace("BYTEA", "BLOB")
    text = text.replace("BIGINT", "INTEGER")
    new = file_of(house) + ".old"
    with contextlib.closing(sqlite3.connect(new)) as db, db:
        db.executescript("PRAGMA journal_mode = WAL;" + text)
        db.execute("ATTACH ? AS now", (file_of(house),))
        for table in keep:
            columns = ", ".join(c[1] for c in db.execute("PRAGMA main.table_info(%s)" % table))
            db.execute("INSERT INTO main.%s (%s) SELECT %s FROM now.%s"
                       % (table, columns, columns, table))
        db.execute("DELETE FROM main.meta WHERE name = 'schema'")
        db.execute("INSERT INTO main.meta VALUES ('schema', 2)")
        db.execute("PRAGMA application_id = %d"
                   % db.execute("PRAGMA now.application_id").fetchone()[0])
        db.execute("PRAGMA main.user_version = %d"
                   % db.execute("PRAGMA now.user_version").fetchone()[0])
    for name in glob.glob(file_of(house) + "*"):
        if not name.endswith(".old"):
            os.unlink(name)
    os.rename(new, file_of(house))


@needs_clock
def test_a_store_of_an_older_version_is_taken_over(house):
    """What it sealed and hashed with keys derived from the master key stays readable, and
    moves under random ones."""
    house.time_travel(0)
    house.setup()
    # a login in it: its keys are those that older versions derived
    change(house, "INSERT INTO login SELECT 5, 1, 0, 'x', 'x', 'x', 0, 1, 0, 0, 0, 0, 0, x'',"
                  " 1, 0, 0, 0, 0;")
    house.start()
    people(house, 20)
    assert rows(house, "SELECT printf('%08x', id), lower(hex(substr(wrapped, 1, 4)))"
                       " FROM data_key WHERE kind = 1") == [(current(house),) * 2]
    derived = current(house)
    hashes = rows(house, "SELECT number_hash FROM phone ORDER BY id")
    house.stop("broker")
    schema(house, ("001.sql", "002.sql"), ("account", "phone", "subscription", "meta"))
    assert not rows(house, "SELECT 1 FROM sqlite_master WHERE name = 'data_key'")
    start(house)
    assert list(keys(house)) == [derived]
    all_open(house)
    ctl(house, "key", "rotate")
    all_open(house)
    old_goes(house)
    assert derived not in used(house)
    # the same number is still known as the same
    assert rows(house, "SELECT number_hash FROM phone ORDER BY id") == hashes


# ---- another master key ----

def to_master(house, name):
    house.conf(store={"master_key": "file:%s/%s" % (house.dir, name)})


def test_threat_26_another_master_key(full):
    ctl(full, "key", "rotate", "--master", "file:%s/two.key" % full.dir, "--dry-run")
    assert not os.path.exists(full.dir + "/two.key")
    first = rows(full, "SELECT wrapped FROM data_key WHERE kind = %d" % PEPPERS)[0][0]
    out = ctl(full, "key", "rotate", "--master", "file:%s/two.key" % full.dir)
    assert "made file:" in out and "master_key = file:%s/two.key" % full.dir in out
    assert os.stat(full.dir + "/two.key").st_mode & 0o7777 == 0o600
    all_open(full)
    # either opens it
    restart(full)
    assert "the master key is being changed, and this is the old one" in full.log()
    assert "change [store] master_key to it" in ctl(full, "key", "list")
    assert "not-allowed" in ctl(full, "key", "finish", code=1)
    assert "not-allowed" in ctl(full, "key", "rotate", code=1)  # finish that first
    to_master(full, "two.key")
    restart(full)
    assert "the old master key opens this store no more" in full.log()
    all_open(full)
    # heads that were signed before are still ours
    done = full.run("otpcored", "--config", full.conf_file, "--audit-verify", check=False)
    assert done.returncode == 0, done.stderr
    ctl(full, "key", "rotate")
    full.stop("broker")
    for name in glob.glob(full.dir + "/db/*"):
        with open(name, "rb") as f:
            assert first[16:] not in f.read(), name
    to_master(full, "master.key")
    refuses(full, "another master key")
    to_master(full, "two.key")
    start(full)
    all_open(full)


def test_threat_26_a_master_key_that_waits_is_not_thrown_away(full):
    source = "file:%s/%%s.key" % full.dir
    said = ctl(full, "key", "rotate", "--master", source % "two")
    (two,) = re.findall("made .*two.key: the master key ([0-9a-f]{8})", said)
    before = rows(full, "SELECT rewrapped FROM data_key ORDER BY id")
    for more in ("--dry-run",), ():
        said = ctl(full, "key", "rotate", "--master", source % "three", *more, code=1)
        assert "a change to the master key %s waits" % two in said
        assert "give it up:    magotpctl key rotate --master %s" % (source % "master") in said
        assert os.path.exists(full.dir + "/three.key") == (not more)
    assert "three.key was made for nothing" in said
    assert rows(full, "SELECT rewrapped FROM data_key ORDER BY id") == before
    # the same one again
    said = ctl(full, "key", "rotate", "--master", source % "two")
    assert "kept %s: the master key %s" % (source % "two", two) in said
    # given up, and another one
    said = ctl(full, "key", "rotate", "--master", source % "master", "--dry-run")
    assert "would be given up" in said
    assert rows(full, "SELECT 1 FROM data_key WHERE length(rewrapped) > 0")
    ctl(full, "key", "rotate", "--master", source % "master")
    assert not rows(full, "SELECT 1 FROM data_key WHERE length(rewrapped) > 0")
    assert "key %s opens" % two not in ctl(full, "key", "list")
    said = ctl(full, "key", "rotate", "--master", source % "three")
    three = re.search("kept .*three.key: the master key ([0-9a-f]{8})", said)[1]
    assert "The master key %s opens the store, too" % three in ctl(full, "key", "list")
    # who only looks ends no change
    to_master(full, "three.key")
    said = ctl(full, "key", "rotate", "--master", source % "two", "--dry-run", code=1)
    assert "a change to this master key waits: restart otpcored" in said
    all_open(full)
    restart(full)
    all_open(full)


def test_killed_while_the_master_key_is_changed(full):
    source = "file:%s/two.key" % full.dir
    for fault in ("rekey.change:kill:1", "store.claim:kill:1", "store.claim:kill:2",
                  "store.commit:kill:1"):
        done = full.run("otpcored-fault", "--config", full.conf_file, "--rekey", source,
                        "--fault", fault, check=False)
        assert done.returncode == -signal.SIGKILL, (fault, done)
        assert not rows(full, "SELECT 1 FROM data_key WHERE length(rewrapped) > 0")
        restart(full)
    assert "kept " + source in ctl(full, "key", "rotate", "--master", source)
    full.stop("broker")
    to_master(full, "two.key")
    for fault in ("key.change:kill:1", "key.changed:kill:1"):
        dies(full, fault)
        if fault == "key.change:kill:1":
            to_master(full, "master.key")  # back: the old one is still good
            start(full)
            full.stop("broker")
            to_master(full, "two.key")
    start(full)
    all_open(full)


def test_the_same_master_key_is_no_other(full):
    out = ctl(full, "key", "rotate", "--master", "file:%s/master.key" % full.dir, code=1)
    assert "that is the master key already" in out
    for source in ("x", "file:", "env:KEY", "credential:k"):
        assert "was not changed" in ctl(full, "key", "rotate", "--master", source, code=1)


def test_a_master_key_from_a_credential(house):
    """As systemd hands it over: LoadCredential=master:/etc/magotp/master.key."""
    start(house)
    house.stop("broker")
    os.mkdir(house.dir + "/credentials")
    os.rename(house.dir + "/master.key", house.dir + "/credentials/master")
    house.conf(store={"master_key": "credential:master"})
    refuses(house, "there is no master key")
    env = house._env
    house._env = lambda: {**(env() or os.environ), "CREDENTIALS_DIRECTORY": house.dir + "/credentials"}
    house.start()
    people(house, 1)
    all_open(house)


# ---- several brokers ----

@needs_root
@needs_clock
@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_several_brokers_learn_of_a_new_key(open_dir):
    with postgres.Postgres() as server, House(open_dir) as first:
        first.conf(store={"url": server.url}, broker={"host_identity": "first"})
        first.time_travel(0)
        first.start()
        os.mkdir(os.path.join(open_dir, "second"))
        with Neighbour(os.path.join(open_dir, "second"), first, "second") as second:
            second.start_broker()
            people(first, 20)
            second.known = first.known
            seed = oath.seed("S-1")
            oath.stock(first, seed)
            codes = [oath.hotp(seed["secret"], n) for n in range(20)]
            first.ok("token_add", {"user": "p000", "serial": "S-1",
                                   "code1": codes[0], "code2": codes[1]})
            step = first.ok("key_rotate", {"begin": 1})
            assert step["wait"] > 10  # nobody seals by it yet
            old = step["key"]
            # The first takes its time to be over; the second has not read for some seconds.
            first.time_travel(30)
            step = first.ok("key_rotate", {})
            assert step["wait"] == 0 and step["key"] != old
            page, cursor = None, ""
            while page is None or cursor:
                page = first.ok("key_page", {"cursor": cursor, "reseal": 1})
                cursor = page["next"]
            login = second.login("p000")
            assert login.verify(codes[2], ref=4)[0].verdict == "ok"
            all_open(second, first)
            first.ok("key_rotate", {"done": 1})
            # what the second writes now is under the new one, too
            people(second, 9, first=21)
            ids = server.sql("SELECT DISTINCT encode(substr(email, 1, 4), 'hex') FROM account"
                             " WHERE length(email) > 0").split()
            assert ids == [step["key"]]
            first.known = {**first.known, **second.known}
            all_open(first)
            # the one that began it is gone: the other ends it
            first.stop_hard("broker")
            first.time_travel(OLD_STAYS)
            wait_for("the end of the old key", lambda: server.sql(
                "SELECT count(*) FROM data_key WHERE kind = 1") == "1", 30)
            all_open(second, first)
            # another master key: both must have it before the old one goes
            ctl(second, "key", "rotate", "--master", "file:%s/two.key" % open_dir)
            second.conf(store={"master_key": "file:%s/two.key" % open_dir})
            restart(second)
            start(first)
            all_open(first)
            assert "magotpctl key finish" in second.log()
            ctl(second, "key", "finish")
            first.stop("broker")
            refuses(first, "another master key")
            all_open(second, first)


@needs_root
@needs_clock
@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_threat_26_a_broker_that_was_frozen_writes_nothing_by_a_key_that_is_gone(open_dir):
    """It stands still in the middle of a request for longer than an old key stays. What it had
    begun is decided again, under the key of now."""
    with postgres.Postgres() as server, House(open_dir) as first:
        first.conf(store={"url": server.url}, broker={"host_identity": "first"})
        first.time_travel(0)
        first.start()
        os.mkdir(os.path.join(open_dir, "second"))
        with Neighbour(os.path.join(open_dir, "second"), first, "second") as second, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            second.start_broker(fault="tick.decide:stop:1")
            asked = pool.submit(second.call, "account_add", {
                "user": "anna", "uid": UID_UNKNOWN, "email": "anna@example.org"}, timeout=60)
            frozen = second.processes["broker"].pid
            try:
                wait_for("it stands", lambda: open("/proc/%d/stat" % frozen).read().split()[2] == "T", 30)
                old = first.ok("key_rotate", {"begin": 1})["key"]
                first.time_travel(30)
                now = first.ok("key_rotate", {"done": 1})["key"]
                first.time_travel(OLD_STAYS)
                restart(first)  # it looks at once, not within five seconds
                wait_for("the end of the old key", lambda: server.sql(
                    "SELECT count(*) FROM data_key WHERE kind = 1") == "1", 30)
            finally:
                os.kill(frozen, signal.SIGCONT)
            result, _ = asked.result(60)
            assert (result.error, result.verdict) == ("", "ok"), second.log()
            assert old != now
            assert server.sql("SELECT encode(substr(email, 1, 4), 'hex') FROM account") == now
            for house in (first, second):
                assert house.ok("account_list")["accounts"][0]["email"] == "anna@example.org"
