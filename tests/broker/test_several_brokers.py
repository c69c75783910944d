"""Several brokers on one PostgreSQL: whose turn it is (a lease), and each notice once."""

import os
import signal
import subprocess
import time

import pytest

import postgres
from house import FAKETIME, House, Neighbour, needs_root
from load import Client, Guesser, replayed, twice
from peers import wait_for

DAY = 86400
PRODUCT_HARDWARE = 3

pytestmark = [needs_root,
              pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed"),
              pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())]


@pytest.fixture(scope="module")
def database():
    with postgres.Postgres() as server:
        yield server


@pytest.fixture
def pair(open_dir, database):
    """Two houses on one server, the first of them running; their clock moves."""
    server = database
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with House(open_dir) as first:
        first.conf(store={"url": server.url}, broker={"host_identity": "first"},
                   throttle={"per_source": "1000000", "delay_after": "100"})
        first.time_travel(0)
        first.start()
        os.mkdir(os.path.join(open_dir, "second"))
        with Neighbour(os.path.join(open_dir, "second"), first, "second") as second:
            yield server, first, second


def holder(server, name="sweep"):
    return server.sql("SELECT holder FROM lease WHERE name = '%s'" % name)


def expires(server, house, name, at):
    """A subscription of the account, with its address, that ends then."""
    house.account(name, email=name + "@example.org")
    server.sql("INSERT INTO subscription (id, version, account, product, state, level, licence,"
               " started_at, purchased_at, expires_at) SELECT id + 5, 1, id, %d, 1, 2, 0, %d, %d,"
               " %d FROM account WHERE name = '%s'" % (PRODUCT_HARDWARE, at - 365 * DAY,
                                                       at - 365 * DAY, at, name))


def test_one_sweeps_and_when_it_is_gone_the_other(pair):
    server, first, second = pair
    wait_for("the first sweep", lambda: holder(server) == "first", 10)
    second.start_broker()
    at = int(time.time()) + 30 * DAY + 7200
    for i in range(6):
        expires(server, first, "p%d" % i, at)
    assert server.sql("SELECT count(*) FROM mail") == "0"
    # What the first was swept by holds for the hour; the second waits its turn.
    time.sleep(1)  # it has looked at its start
    assert holder(server) == "first"
    first.stop("broker", sig=signal.SIGKILL)
    first.time_travel(3 * 3600)  # the reminders are due, the dead one's hour is over
    wait_for("the heir", lambda: holder(server) == "second", 15)
    wait_for("the mails", lambda: server.sql(
        "SELECT count(*) FROM mail WHERE state <> 1 AND template = 'expiry-reminder'") == "6", 20)
    # It is back, and everything was said already.
    first.start_broker()
    time.sleep(1)
    assert holder(server) == "second"
    for i in range(6):
        told = [m for m in first.messages() if m["to"] == "p%d@example.org" % i]
        assert len(told) == 1, told


def test_a_lease_whose_clock_was_wrong_is_void(pair):
    server, _, second = pair
    wait_for("the first sweep", lambda: holder(server) == "first", 10)
    server.sql("UPDATE lease SET holder = 'gone', until = until + 400000000")
    second.start_broker()
    wait_for("the heir", lambda: holder(server) == "second", 15)



def restart(kill, start, clients):
    """Kills it under load; the seconds from when it is there again until everybody has
    logged in."""
    time.sleep(0.7)
    kill()
    start()
    begun = time.monotonic()
    wait_for("logins", lambda: all(c.accepted and c.accepted[-1][1] > begun for c in clients), 20)
    return time.monotonic() - begun


def test_kill_9_of_the_server_and_of_a_broker_under_load(pair):
    server, first, second = pair
    second.start_broker()
    clients = [Client([first, second], "k%d" % i) for i in range(6)]
    guessers = [Guesser([first, second], "g%d" % i, 12) for i in range(2)]
    for c in clients + guessers:
        c.start()
    took = [restart(server.kill, server.start, clients),
            restart(lambda: first.stop_hard("broker"), first.start_broker, clients)]
    for c in clients + guessers:
        c.stop = True
    for c in clients + guessers:
        c.join(20)
    moving = dict(line.split("|") for line in
                  server.sql("SELECT serial, moving FROM token").splitlines())
    lost = [(c.name_, n) for c in clients for n, _ in c.accepted
            if n >= int(moving["P-" + c.name_])]
    assert not lost and not twice(clients) and not replayed(clients)
    told = {name: n for g in guessers for name, n in g.told.items() if n}
    charged = dict(line.split("|") for line in server.sql(
        "SELECT a.name, sum(t.count) FROM throttle t JOIN account a ON a.id = t.subject "
        "WHERE t.kind = 2 GROUP BY a.name").splitlines())
    assert told and all(int(charged[name]) >= n for name, n in told.items()), (told, charged)
    assert max(took) < 5, took
    print("accepted %d, none twice; wrong %d, all charged; back after %.1f and %.1f s"
          % (sum(len(c.accepted) for c in clients), sum(told.values()), *took))


# ---- the connection ----

def made(directory, url):
    """otpcored --setup with a store there; what it said, and its exit status."""
    with House(directory) as house:
        house.conf(store={"url": url})
        done = subprocess.run([house.program("otpcored"), "--config", house.conf_file, "--setup"],
                              capture_output=True, text=True)
        return done.returncode, done.stderr


def certificate(directory):
    """A key and a certificate for 127.0.0.1 that signs itself."""
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=db", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    return key, cert


def test_off_the_local_socket_only_with_tls(open_dir):
    key, cert = certificate(open_dir)
    port = postgres.free_port()
    subprocess.run(["chown", "postgres", key], check=True)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", "ssl_key_file=" + key, "-c", "ssl_cert_file=" + cert]
    with postgres.Postgres(*options, port=port):
        plain = "postgresql://magotp@127.0.0.1:%d/postgres" % port
        cases = {
            plain + "?sslmode=disable": "without TLS only by a local socket",
            plain: "root",  # verify-full, and nobody said whom to believe
            plain.replace("127.0.0.1", "localhost") + "?sslrootcert=" + cert: "host name",
        }
        for n, (url, why) in enumerate(cases.items()):
            status, said = made(os.path.join(open_dir, "no%d" % n), url)
            assert status != 0 and why in said, (url, said)
        status, said = made(os.path.join(open_dir, "yes"), plain + "?sslrootcert=" + cert)
        assert status == 0, said


def test_of_several_hosts_the_one_that_takes_writes(open_dir, database):
    """The first is dead, the second only reads (a replica), the third is it."""
    writes = database
    writes.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with postgres.Postgres("-c", "default_transaction_read_only=on") as reads, \
            House(open_dir) as house:
        house.conf(store={"url": "postgresql:///postgres?user=magotp&host=/nowhere,%s,%s"
                                 % (reads.dir, writes.dir)})
        house.start()
        house.account("anna")
        assert writes.sql("SELECT name FROM account") == "anna"


def test_a_locked_table_answers_busy_within_the_deadline(pair):
    """The loop goes on meanwhile, and the login when the lock is gone."""
    server, house, _ = pair
    house.account("anna")
    house.phone("anna")
    lock = subprocess.Popen([*server.who, os.path.join(postgres.BIN[-1], "psql"), "-h", server.dir,
                             "-U", "magotp", "-d", "postgres", "-qAt"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    lock.stdin.write("BEGIN; LOCK TABLE throttle IN EXCLUSIVE MODE; SELECT 'locked';\n")
    lock.stdin.flush()
    assert lock.stdout.readline().strip() == "locked"
    begun = time.monotonic()
    login = house.login("anna")
    result, _ = login.send()
    took = time.monotonic() - begun
    lock.stdin.close()
    lock.wait()
    assert result.error == "BUSY" and 2 < took < 5, (result, took)
    result, _ = login.send(seq=login.seq)
    assert not result.error and result.verdict == "ok"
