"""The broker with its store in a real PostgreSQL: logins, two brokers, a server that dies."""

import os
import signal
import threading
import time

import pexpect
import pytest

import oath
import postgres
from house import House, Neighbour, needs_root, wrong
from test_threats import clear

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"  # make check-long
ROUNDS = int(os.environ.get("MAGOTP_ROUNDS", 1000 if LONG else 2))

pytestmark = [needs_root,
              pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())]


@pytest.fixture(scope="module")
def server():
    with postgres.Postgres() as server:
        yield server


@pytest.fixture
def house(house, server):
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    house.conf(store={"url": server.url})
    house.smsd_conf(smsd={"budget_hour": 1000000, "budget_day": 1000000})
    house.start()
    house.account("anna", uid=12001)
    house.number_of = {"anna": house.phone("anna")}
    return house


def test_the_store_is_in_the_server(house, server):
    assert house.ok("ping")["store"] == "postgresql"
    assert server.sql("SELECT name FROM account") == "anna"
    assert not os.path.exists(os.path.join(house.dir, "db", "otpcore.db"))


def test_L1_a_login_and_P4_once(house):
    login = house.login("anna")
    login.send()
    code = house.code(house.number_of["anna"])
    result, reply = login.verify(wrong(code))
    assert (result.verdict, reply["tries_left"]) == ("code-wrong", 2)
    result, reply = login.verify(code)
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    assert house.login("anna").verify(code)[0].verdict == "code-used"


def patiently(login, code, until):
    """The same request until it is answered: somebody else may hold the rows."""
    login.seq += 1
    while True:
        result, _ = login.verify(code, ref=login.ref, seq=login.seq)
        if not result.error or time.monotonic() > until:
            return result.error or result.verdict
        time.sleep(0.02)


def token(house, user, serial):
    """An account with an active HOTP token; the code at a counter."""
    seed = oath.seed(serial)
    house.account(user)
    oath.stock(house, seed)
    codes = [oath.hotp(seed["secret"], n) for n in range(8)]
    house.ok("token_add", {"user": user, "serial": serial, "code1": codes[0], "code2": codes[1]})
    return lambda n: codes[n]


def factor4(logins):
    """Their codes are the token's."""
    logins = list(logins)
    for login in logins:
        login.ref = 4
    return logins


def at_once(logins, codes):
    """Each login verifies its code in a thread of its own; the verdicts."""
    verdicts, barrier = [None] * len(logins), threading.Barrier(len(logins))
    until = time.monotonic() + 30

    def client(i):
        barrier.wait()
        verdicts[i] = patiently(logins[i], codes[i], until)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(len(logins))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return verdicts


@pytest.fixture
def two(house, open_dir):
    """A second broker, as on another host, on the same server."""
    os.mkdir(os.path.join(open_dir, "second"))
    with Neighbour(os.path.join(open_dir, "second"), house, "second") as other:
        other.start_broker()
        yield [house, other]


def test_threat_04_two_brokers_one_code(two):
    """32 clients of each host, one code: it is accepted once."""
    two[1].conf(broker={"host_identity": os.uname().nodename})
    two[1].stop("broker")
    two[1].start_broker()
    for round in range(ROUNDS):
        user = "user%d" % round
        two[0].account(user)
        number = two[0].phone(user)
        # A chain is of one host: codes are good where they were asked for.
        logins = [two[i % 2].login(user) for i in range(64)]
        logins[0].send()
        code = two[0].code(number)
        clear(two[0])
        got = at_once(logins, [code] * len(logins))
        assert got.count("ok") == 1, (round, got)
        assert set(got) <= {"ok", "code-used"}, (round, got)
    print("%d rounds of %d clients over two brokers: one phone code accepted once in each"
          % (ROUNDS, len(logins)))


def test_H6_two_brokers_one_token_code(two):
    for round in range(ROUNDS):
        user = "owner%d" % round
        secret = token(two[0], user, "T%05d" % round)
        logins = factor4(two[i % 2].login(user) for i in range(64))
        got = at_once(logins, [secret(2)] * 64)
        assert got.count("ok") == 1, (round, got)
    print("%d rounds of %d clients over two brokers: one token code accepted once in each"
          % (ROUNDS, len(logins)))


def test_threat_05_two_brokers_share_the_cap(two):
    """64 wrong codes at once over both: at most the cap is evaluated."""
    user = "victim"
    secret = token(two[0], user, "V1")
    logins = factor4(two[i % 2].login(user) for i in range(64))
    got = at_once(logins, [wrong(secret(2))] * 64)
    assert "ok" not in got
    assert got.count("code-wrong") <= 5, got
    print("64 wrong codes at once over two brokers: %d evaluated" % got.count("code-wrong"))


def migrate(house, url):
    """On a terminal: what it said, with its bar."""
    child = pexpect.spawn(house.program("otpcored"),
                          ["--config", house.conf_file, "--migrate-to", url],
                          env=house._env(), encoding="utf-8", timeout=30)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return child.before


def test_a_store_moves_to_the_server_and_back(open_dir, server):
    """Both ways, with everything in it: the token goes on where it was."""
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with House(open_dir) as house:
        house.start()
        codes = token(house, "mover", "M1")
        back = "sqlite:%s/db/back.db" % house.dir
        for url, counter in ((server.url, 2), (back, 3)):
            refused = house.run("otpcored", "--config", house.conf_file, "--migrate-to", url,
                                check=False)
            assert refused.returncode == 1 and "otpcored is running" in refused.stderr
            house.stop("broker")
            told = migrate(house, url)
            assert "copied and compared" in told
            assert " 100 %  comparing " in told
            house.conf(store={"url": url})
            house.start_broker()
            login = house.login("mover")
            assert login.verify(codes(counter - 1), ref=4)[0].verdict != "ok"
            assert login.verify(codes(counter), ref=4)[0].verdict == "ok"


HASTY = {"synchronous_commit": "off", "default_transaction_isolation": "serializable",
         "default_transaction_deferrable": "on"}
# Who writes says how, whatever it is asked for.
WITNESS = """
    CREATE TABLE seen (sync TEXT, isolation TEXT);
    CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO seen VALUES (current_setting('synchronous_commit'),
                               current_setting('transaction_isolation'));
      RETURN NEW; END $$;
    CREATE TRIGGER witness AFTER INSERT OR UPDATE ON login FOR EACH ROW EXECUTE FUNCTION witness()"""


def log_in(house, user, code):
    """The verdict, of a server that may be on its way back."""
    until = time.monotonic() + 10
    while (login := house.login(user)).result.error and time.monotonic() < until:
        time.sleep(0.02)
    return patiently(factor4([login])[0], code, until)


def test_threat_27_the_roles_defaults_are_not_ours(house, server):
    """ALTER ROLE ... SET synchronous_commit = off: what psql commits is lost when the server is
    killed at that moment; what otpcored said yes to is not."""
    secret = token(house, "hasty", "H1")
    try:
        server.sql(WITNESS)
        for name, value in HASTY.items():
            server.sql("ALTER ROLE magotp SET %s = '%s'" % (name, value))
        server.stop()
        server.start()
        os.kill(server.child("walwriter"), signal.SIGSTOP)  # which would write it meanwhile
        server.sql("CREATE TABLE lost (n INTEGER)")
        assert log_in(house, "hasty", secret(2)) == "ok"
        broker = house.processes["broker"]
        broker.send_signal(signal.SIGSTOP)  # nothing that it writes now syncs what psql writes
        server.sql("INSERT INTO lost VALUES (1)")
        server.kill()
        broker.send_signal(signal.SIGCONT)
        server.start()
        assert server.sql("SELECT count(*) FROM lost") == "0", "else this shows nothing"
        assert server.sql("SELECT DISTINCT sync, isolation FROM seen") == "on|read committed"
        assert log_in(house, "hasty", secret(2)) == "code-used"
        assert log_in(house, "hasty", secret(3)) == "ok"
    finally:
        os.kill(server.child("walwriter"), signal.SIGCONT)
        server.sql("ALTER ROLE magotp RESET ALL")
        server.stop()
        server.start()


def test_a_server_that_dies_denies_and_comes_back(house, server):
    login = house.login("anna")
    login.send()
    code = house.code(house.number_of["anna"])
    server.kill()
    result, _ = login.verify(code)
    assert result.error
    server.start()
    assert patiently(login, code, time.monotonic() + 5) == "ok"
    assert house.login("anna").verify(code)[0].verdict == "code-used"
