"""Relays (security.md 40): a host at the edge whose otpcored has neither store nor key, and
asks an auth host over mTLS. Here all are processes of one machine; network namespaces and
ssh are tests/system/test_relay.py's."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import time

import pytest

import relays
import wirepy
from house import House, Neighbour, needs_root, wrong
from relays import Relay, auth_host

pytestmark = needs_root


def furnish(house):
    """An auth host with anna, who has a phone."""
    auth_host(house)
    house.conf(phone={"resend_wait": 0, "sends_per_hour": 100}, broker={"max_clients_per_host": 8})
    house.start()
    house.account("anna", uid=12001)
    house.number_of = {"anna": house.phone("anna")}
    return house


@pytest.fixture(scope="module")
def shared():
    path = tempfile.mkdtemp(prefix="magotp-test-")
    os.chmod(path, 0o755)
    with House(path) as house:
        yield furnish(house)
    shutil.rmtree(path)


@pytest.fixture
def auth(shared):
    """One for all of these tests; each begins without hosts."""
    yield shared
    print(shared.log()[-4000:])
    for name in relays.hosts(shared):
        shared.ok("host_remove", {"name": name})


@pytest.fixture
def relay(auth, open_dir):
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll()
        relay.start_broker()
        yield relay
        print(relay.log()[-3000:])


@pytest.fixture
def edge(auth, open_dir):
    """edge(name): a relay that no other test has counted anything for."""
    made = []

    def make(name, *args):
        made.append(Relay(os.path.join(open_dir, name), [auth], name))
        made[-1].enroll(*args)
        made[-1].start_broker()
        return made[-1]

    yield make
    for relay in made:
        relay.close()


def log_in(relay, user="anna", service="sshd", number=None):
    login = relay.login(user, service)
    assert login.result.error == "", login.result
    login.send()
    result, reply = login.verify(relay.code(number or relay.auth.number_of[user]))
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    return login


def test_threat_40_a_login_through_a_relay(auth, relay):
    login = log_in(relay)
    result, reply = login.account()
    assert (result.verdict, reply["host"]) == ("ok", "web1")
    assert relay.call("ping")[1]["host"] == auth.call("ping")[1]["host"], "the auth host answers"
    assert not os.path.exists(os.path.join(relay.dir, "db"))
    assert not os.path.exists(os.path.join(relay.dir, "master.key"))


def test_threat_09_addresses_are_the_relays_word(auth, relay, open_dir):
    """What it fails in the name of an address is counted for itself alone."""
    auth.conf(throttle={"per_source": 1})
    os.kill(auth.processes["broker"].pid, signal.SIGHUP)
    relays.wait_for("the settings", lambda: "settings were read again" in auth.log())
    auth.account("dora", uid=12009)
    auth.number_of["dora"] = auth.phone("dora")
    try:
        bad = relay.login("dora", rhost="203.0.113.7")
        bad.send()
        bad.verify(wrong(auth.code(auth.number_of["dora"])))
        again = relay.login("dora", rhost="203.0.113.7")
        again.send()
        assert again.verify(auth.code(auth.number_of["dora"]))[0].verdict == "try-later"
        good = auth.login("dora", rhost="203.0.113.7")
        good.send()
        assert good.verify(auth.code(auth.number_of["dora"]))[0].verdict == "ok"
    finally:
        auth.conf(throttle={"per_source": 30})
        os.kill(auth.processes["broker"].pid, signal.SIGHUP)


def test_upstreams_are_found_by_name(auth, open_dir):
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll()
        relay.conf(broker={"upstream": "tls://no-such-host.invalid,localhost:%d" % auth.relays_at[1]})
        relay.start_broker()
        assert relay.login("anna").result.error == ""


def test_threat_40_the_peer_is_the_relays_kernels(auth, relay):
    """Root of the relay may log others in; anybody else only as far as the own account."""
    assert relay.call("begin", {"user": "anna", "service": "sshd", "proof": 1}, uid=12002)[0].error == "PERM"
    assert relay.login("anna", "elevate", uid=12001).result.error == ""
    assert relay.call("status", {"user": "anna"}, uid=12001)[1]["host"] == "web1"
    assert relay.call("status", {"user": "anna"}, uid=12002)[0].error == "PERM"


def test_threat_40_never_administration(auth, relay):
    for name, values in (("account_add", {"user": "eve"}), ("account_list", {}), ("host_list", {}),
                         ("phone_add", {"user": "anna", "number": auth.number()}),
                         ("phone_list", {"user": "anna"}), ("token_revoke", {"user": "anna"}),
                         ("session_list", {}), ("host_add", {"name": "x"}), ("sweep", {}),
                         ("host_enroll", {"name": "web1"})):
        for uid in (0, 12001):
            assert relay.call(name, values, uid=uid)[0].error == "PERM", (name, uid)
    assert not auth.call("account_show", {"user": "eve"})[1].get("state")


def test_threat_40_tickets_are_of_one_host(auth, relay, open_dir):
    """What was begun on one host is nothing on another, and nothing on the auth host."""
    login = relay.login("anna")
    with Relay(os.path.join(open_dir, "web2"), [auth], "web2") as other:
        other.enroll()
        other.start_broker()
        for house in (other, auth):
            assert house.call("send", {"txn": login.txn, "seq": 1, "ref": 1})[0].error == "STALE"
    assert login.send()[0].verdict == "ok"
    here = auth.login("anna")
    assert relay.call("send", {"txn": here.txn, "seq": 1, "ref": 1})[0].error == "STALE"


def test_threat_40_services_and_accounts_are_its_own(auth, open_dir):
    auth.account("bert", uid=12002, organisation="Blue")
    auth.account("carl", uid=12003, organisation="Red")
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll("--services", "sshd,sudo", "--accounts", "an*,@Blue")
        relay.start_broker()
        assert relay.login("anna").result.error == ""
        assert relay.login("bert", "sudo").result.error == ""
        assert relay.login("bert", "elevate", uid=12002).result.error == ""
        assert relay.login("anna", "login").result.error == "PERM"
        assert relay.login("anna", "ssh").result.error == "PERM"
        # Who does not exist might be of Blue, and who is of Red might not exist: nothing is
        # told (rule L10).
        assert relay.login("nobody-of-that-name").result.error == ""
        assert relay.login("carl").result.error == ""
    with Relay(os.path.join(open_dir, "web2"), [auth], "web2") as relay:
        relay.enroll("--accounts", "an*,ca*r")
        relay.start_broker()
        assert relay.login("carl").result.error == relay.login("nobody").result.error == "PERM"
        assert relay.login("caesar").result.error == ""


def transcript(house, user, uid, rhost):
    """All that a relay is told of a name, but for tickets, times and processes."""
    said = []

    def note(name, answer):
        result, reply = answer
        said.append((name, result._replace(seconds=result.seconds > 0),
                     {k: v for k, v in reply.items() if k not in ("txn", "grant") and "seconds" not in k}))
        return answer

    for service in ("sshd", "elevate"):
        login = house.login(user, service, rhost=rhost)
        note("begin", (login.result, login.begin))
        note("send", login.send())
        note("fate", house.call("fate", {"txn": login.txn}))
        note("repeat", login.send(seq=login.seq))
        for _ in range(4):
            note("verify", login.verify("00000000"))
        note("again", login.send(again=1))
        note("skip", login.skip())
        note("account", login.account())
        note("open", login.open())
        note("strength", house.call("strength", {"txn": login.txn, "user": user, "service": service}))
    for asker in (None, uid):
        asks = {"user": user, "service": "sshd", "uid": uid}
        for name, values in (("begin", {**asks, "proof": 1}), ("begin", {**asks, "proof": 0}),
                             ("account", asks), ("open", asks), ("close", asks),
                             ("status", {"user": user}),
                             ("phone_list", {"user": user}), ("mobile_add", {"user": user}),
                             ("phone_add", {"user": user, "number": "+12025550199"})):
            known = {f.name for f in wirepy.MESSAGES[name].request}
            note(name, house.call(name, {k: v for k, v in values.items() if k in known}, uid=asker))
    return said


def rows_of(house, account):
    """What the store has of an account's logins, codes and counters."""
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        (row,) = db.execute("SELECT id FROM account WHERE name = ?", (account,)).fetchone()
        return (db.execute("SELECT count(*) FROM login WHERE account = ?", (row,)).fetchall(),
                db.execute("SELECT id, version FROM challenge WHERE account = ?", (row,)).fetchall(),
                db.execute("SELECT id, version, last_used_at FROM phone WHERE account = ?", (row,)).fetchall(),
                db.execute("SELECT kind, period, count FROM throttle WHERE subject = ?", (row,)).fetchall())


def test_threat_40_another_organisations_account_is_nobody(auth, edge):
    """To a relay of Blue, Red's people are as those who do not exist: told by nothing that
    it is answered, and nothing is sent to them, charged or written."""
    users = {"rita": 12051, "rolf": 12052, "rosa": 12053}
    relay = edge("blue", "--accounts", "@Blue", "--self-service")
    unknown = {user: transcript(relay, user, uid, "203.0.113.1") for user, uid in users.items()}
    for user, uid in users.items():
        auth.account(user, uid=uid, organisation="Red")
    numbers = [auth.phone("rita"), auth.phone("rolf")]
    auth.ok("recovery_codes", {"user": "rita"})
    with sqlite3.connect("%s/db/otpcore.db" % auth.dir) as db:
        db.execute("UPDATE account SET state = 3 WHERE name = 'rolf'")  # locked
    sent, before = len(auth.messages()), [rows_of(auth, user) for user in users]
    foreign = {user: transcript(relay, user, uid, "203.0.113.2") for user, uid in users.items()}
    assert foreign == unknown
    assert [rows_of(auth, user) for user in users] == before
    assert len(auth.messages()) == sent
    # Elsewhere they are who they are.
    red = edge("red", "--accounts", "@Red")
    assert transcript(red, "rita", 12051, "203.0.113.3") != unknown["rita"]
    login = auth.login("rita")
    login.send()
    assert login.verify(auth.code(numbers[0]))[0].verdict == "ok"


def test_threat_40_self_service_is_given_by_the_row(auth, open_dir):
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll("--self-service")
        relay.start_broker()
        assert relay.call("phone_list", {"user": "anna"}, uid=12001)[0].error == ""
        assert relay.call("phone_list", {"user": "anna"}, uid=12002)[0].error == "PERM"
        assert relay.call("phone_list", {"user": "anna"}, uid=0)[0].error == "PERM", "root's is not"
        assert relay.call("account_add", {"user": "eve"}, uid=0)[0].error == "PERM"


def test_threat_40_self_service_needs_a_factor_proven_there(auth, open_dir):
    """That it is anna who asks is the relay's word: a session that was proven is not."""
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll("--self-service")
        link = relays.Link(auth, relay.identity)
        root = {"uid": 0, "alive": 1, "pid": 4242, "start": 99, "sid": 6}
        anna = {"uid": 12001, "alive": 1, "pid": 4300, "start": 120, "sid": 78, "loginuid": 12001,
                "leader_pid": 4242, "leader_start": 99}
        changes = [("phone_add", {"user": "anna", "number": auth.number()}),
                   ("mobile_add", {"user": "anna"}), ("recovery_codes", {"user": "anna"}),
                   ("phone_default", {"user": "anna", "ref": 1}),
                   ("phone_delete", {"user": "anna", "ref": 1})]
        for name, values in changes:
            assert link.call(name, values, anna)[0].error == "PERM", name
        login = link.call("begin", {"user": "anna", "service": "sshd", "uid": 12001, "proof": 1}, root)[1]
        link.call("send", {"txn": login["txn"], "seq": 1, "ref": 1}, root)
        code = auth.code(auth.number_of["anna"])
        verified = link.call("verify", {"txn": login["txn"], "seq": 2, "ref": 1, "code": code}, root)
        assert verified[0].verdict == "ok"
        link.call("open", {"txn": login["txn"], "user": "anna", "service": "sshd", "uid": 12001},
                  {**root, "sid": 78, "loginuid": 12001})
        default = ("phone_default", {"user": "anna", "ref": 1})
        assert link.call(*default, anna)[0].error == ""
        assert link.call(*default, {**anna, "leader_start": 98})[0].error == "PERM", "it has ended"
        assert link.call(*default, {**anna, "sid": 79})[0].error == "PERM", "not that session"
        auth.ok("session_end", {"user": "anna", "all": 1})
        assert link.call(*default, anna)[0].error == "PERM"


def test_threat_40_addresses_that_a_relay_invents(auth, relay):
    """Half of an account's thirty days is its share, wherever it says that it comes from."""
    auth.conf(throttle={"total_30d": 4})
    os.kill(auth.processes["broker"].pid, signal.SIGHUP)
    relays.wait_for("the settings", lambda: "settings were read again" in auth.log())
    auth.account("emil", uid=12010)
    number = auth.phone("emil")
    try:
        for i in range(2):
            bad = relay.login("emil", rhost="203.0.113.%d" % i)
            bad.send()
            assert bad.verify(wrong(auth.code(number)))[0].verdict == "code-wrong"
        assert relay.login("emil", rhost="203.0.113.9").send()[0].verdict == "account-throttled"
        good = auth.login("emil", rhost="203.0.113.7")
        good.send()
        assert good.verify(auth.code(number))[0].verdict == "ok"
    finally:
        auth.conf(throttle={"total_30d": 20})
        os.kill(auth.processes["broker"].pid, signal.SIGHUP)


@pytest.fixture
def settings(auth):
    """settings(throttle={...}): for this test only."""
    kept = {name: dict(keys) for name, keys in auth.sections.items()}

    def change(**sections):
        auth.conf(**sections)
        auth.ok("reload")

    yield change
    auth.sections = kept
    auth.conf()
    auth.ok("reload")


def test_threat_40_a_relays_messages_are_bounded(auth, edge, settings):
    """That passwords were typed is its word: so many messages in an hour, to whomever."""
    relay, other = edge("mess-a"), edge("mess-b")
    settings(throttle={"per_relay": 6})
    for i in range(4):
        auth.account("mess%d" % i, uid=12020 + i)
        auth.phone("mess%d" % i)
    before, answers = len(auth.messages()), []
    for user in [f"{kind}{i}" for i in range(4) for kind in ("mess", "nobody")] * 2:
        answers.append(relay.login(user, rhost="203.0.113.%d" % len(answers)).send(again=1)[0].verdict)
    assert answers == ["ok"] * 6 + ["send-limited"] * 10, "unknown names count alike (L10)"
    assert len(auth.messages()) - before == 3
    assert relay.login("mess0").send()[0].seconds > 0
    assert other.login("mess3").send()[0].verdict == "ok"
    assert auth.login("mess3").send()[0].verdict == "ok"


def test_threat_40_half_of_an_accounts_messages(auth, edge, settings):
    """From wherever it says that they come, in an hour and in a day."""
    relay = edge("half")
    settings(phone={"sends_per_hour": 8})
    auth.account("gina", uid=12030)
    auth.phone("gina")  # one message
    through = [relay.login("gina", rhost="203.0.113.%d" % i).send(again=1)[0].verdict for i in range(6)]
    assert through == ["ok"] * 4 + ["send-limited"] * 2
    own = [auth.login("gina", rhost="198.51.100.%d" % i).send()[0].verdict for i in range(4)]
    assert own == ["ok"] * 3 + ["send-limited"]
    settings(phone={"sends_per_hour": 100, "sends_per_day": 20})
    auth.account("hugo", uid=12031)
    auth.phone("hugo")
    through = [relay.login("hugo", rhost="203.0.113.%d" % i).send(again=1) for i in range(12)]
    assert [t[0].verdict for t in through] == ["ok"] * 10 + ["send-limited"] * 2
    assert auth.login("hugo").send()[0].verdict == "ok"


def test_threat_40_addresses_do_not_hide_its_failures(auth, edge, settings):
    """All failures of a relay in an hour are one count, too; nobody else's."""
    relay, other = edge("fail-a"), edge("fail-b")
    settings(throttle={"per_relay": 4, "delay": "0"})
    for i in range(3):
        auth.account("irma%d" % i, uid=12040 + i)
        auth.number_of["irma%d" % i] = auth.phone("irma%d" % i)
    verdicts = []
    for i in range(8):
        login = relay.login("irma%d" % (i % 3) if i % 2 else "nobody", rhost="203.0.113.%d" % i)
        if login.send()[0].verdict == "ok":
            verdicts.append(login.verify("00000000")[0].verdict)
    assert verdicts == ["code-wrong"] * 4 + ["try-later"] * (len(verdicts) - 4), verdicts
    for house in (other, auth):
        login = house.login("irma0", rhost="203.0.113.1")
        login.send()
        assert login.verify(auth.code(auth.number_of["irma0"]))[0].verdict == "ok"


def test_threat_40_verifiers_of_the_relay(auth, relay):
    """The relay's own file says who may log others in there, and for what."""
    relay.conf(broker={"verifiers": "www-data:nginx"})
    relay.stop("broker")
    relay.start_broker()
    assert relay.login("anna", "nginx", uid=33).result.error == ""
    assert relay.login("anna", "sshd", uid=33).result.error == "PERM"
    assert not relay.login("anna", "nginx", uid=33).begin["factors"][0]["masked"], "it sees no digits"


def test_threat_40_revoked_at_once(auth, relay):
    login = log_in(relay)
    relays.ctl(auth, "host", "revoke", "web1", "--yes")
    assert login.account()[0].error == "PERM"
    assert relay.login("anna").result.error == "PERM"
    assert relays.hosts(auth)["web1"]["state"] == "revoked"
    # A new code makes it anew; what it had stays void.
    relay.stop("broker")
    old = open(relay.identity).read()
    relay.enroll()
    relay.start_broker()
    assert relay.login("anna").result.error == ""
    relay.stop("broker")
    with open(relay.identity, "w") as f:
        f.write(old)
    relay.start_broker()
    assert relay.login("anna").result.error == "PERM"


def test_threat_40_renewed_by_itself(house, open_dir):
    """Eight months later the relay renews; with the file of before it may still come."""
    house.time_travel(0)
    auth = furnish(house)
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll()
        first, before = relays.hosts(auth)["web1"], open(relay.identity).read()
        relay.start_broker()
        assert relay.login("anna").result.error == ""
        relay.stop("broker")
        auth.time_travel(250 * 86400)
        relay.start_broker()
        relays.wait_for("the renewal", lambda: open(relay.identity).read() != before)
        relays.wait_for("its row", lambda: relays.hosts(auth)["web1"]["fingerprint"] != first["fingerprint"])
        assert os.stat(relay.identity).st_mode & 0o777 == 0o600
        assert relay.login("anna").result.error == ""
        relay.stop("broker")
        relay.start_broker()
        assert relay.login("anna").result.error == ""
        relay.stop("broker")
        with open(relay.identity, "w") as f:  # the answer was lost, say
            f.write(before)
        relay.start_broker()
        assert relay.login("anna").result.error == ""
        relay.stop("broker")
        with open(relay.identity, "w") as f:
            f.write(before)
        auth.time_travel(120 * 86400)
        relay.start_broker()
        assert relay.login("anna").result.error == "DOWN", "it has expired"


def doctor(house):
    pam = os.path.join(house.dir, "no-pam")
    os.makedirs(pam, exist_ok=True)
    done = house.run("magotpctl", "--config", house.conf_file, "--json", "doctor", "--pam-dir", pam,
                     check=False)
    return [row for row in json.loads(done.stdout) if row["id"] == "identity"]


def test_threat_40_an_expired_certificate_is_said_once(house, open_dir):
    """A relay that was off for more than a year: the auth host ends each link, which TLS 1.3 shows
    only after it was made. One word of it, and what to do, however often that is tried."""
    house.time_travel(0)
    auth = furnish(house)
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        relay.enroll()
        assert relays.hosts(auth)["web1"]["state"] == "active"
        assert [row["severity"] for row in doctor(relay)] == ["ok"]
        auth.time_travel(362 * 86400)
        assert [row["severity"] for row in doctor(relay)] == ["ok", "warning"]
        auth.time_travel(38 * 86400)
        relay.start_broker()
        relays.wait_for("the word", lambda: "no auth host answers" in relay.log())
        assert relay.login("anna").result.error == "DOWN"  # and some rounds have passed
        said = relay.log()
        assert "this host's certificate (%s) expired on " % relay.identity in said
        assert "magotpctl host add web1" in said and "magotpctl host enroll" in said
        assert said.count("no auth host answers") == 1 and "(null)" not in said
        assert said.count("auth host 127.0.0.1") == 1 and "linked to" not in said
        assert relays.hosts(auth)["web1"]["state"] == "expired"
        (row,) = [row for row in doctor(relay) if row["severity"] == "error"]
        assert "expired" in row["message"] and "host enroll" in row["fix"]


# ---- links that a hostile relay makes ----


def test_threat_40_a_code_is_good_once(auth, open_dir):
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as relay:
        code = relay.invite()
        assert relay.enroll_with(code).returncode == 0
        again = relay.enroll_with(code)
        assert again.returncode == 1 and "does not know the code" in again.stderr
        # Another's secret, or another's fingerprint: nothing is sent to a stranger.
        name, secret = code.split(":")
        fake = name + ":" + secret[:-6] + ("AAAAAA" if secret[-6:] != "AAAAAA" else "BBBBBB")
        assert "is not the auth host" in relay.enroll_with(fake).stderr
        for junk in ("", "web1", "web1:", "web1:short", ":" + secret, code + "A"):
            assert relay.enroll_with(junk).returncode == 1
    assert oct(os.stat(relay.identity).st_mode)[-3:] == "600"


def test_threat_40_certificates_that_are_none(auth, relay, tmp_path):
    """No certificate: enrolment only. A foreign one, TLS 1.2: not even that."""
    for name, values in (("begin", {"user": "anna", "service": "sshd", "proof": 1}), ("host_list", {})):
        with pytest.raises(OSError):
            relays.Link(auth, None).call(name, values)
    assert relays.Link(auth, relay.identity).call("ping")[0].error == ""
    foreign = relays.foreign_identity(tmp_path)
    with pytest.raises(OSError):
        relays.Link(auth, foreign).call("ping")
    with pytest.raises(OSError):
        relays.Link(auth, relay.identity, tls12=True).call("ping")
    said = relays.plain(auth, b"GET / HTTP/1.0\r\n\r\n")
    assert not said or said[0] == 21, "nothing but a TLS alert"
    assert relay.login("anna").result.error == ""


def test_threat_40_a_hostile_relay(auth, relay):
    """Its host is its certificate's, whatever it says; garbage ends its own link only."""
    pid = auth.processes["broker"].pid
    link = relays.Link(auth, relay.identity)
    # Root, by its own word: still no administration, and nobody's else host.
    for name, values in (("account_add", {"user": "eve"}), ("account_delete", {"user": "anna"}),
                         ("phone_add", {"user": "anna", "number": auth.number()}),
                         ("host_enroll", {"name": "web1"}), ("host_add", {"name": "y"}),
                         ("licence_issue", {}), ("session_end", {"user": "anna", "all": 1})):
        assert link.call(name, values, origin={"uid": 0, "alive": 1})[0].error == "PERM", name
    assert link.call("begin", {"user": "anna", "service": "sshd", "proof": 1})[1]["host"] == "web1"
    junk = [b"", b"\x00" * 64, b"\xff" * 64, b"\x00\x00\x00\x09\x09" + b"\0" * 8,
            b"\x00\x00\x00\x0b\x01" + b"\0" * 8 + b"\xff\xff", os.urandom(4096),
            b"\x00\x00\x00\x08\x01" + b"\0" * 7, relays.frame(2, 1, b"x"), relays.frame(3, 1, b"\0" * 8)]
    for data in junk:
        bad = relays.Link(auth, relay.identity)
        bad.send(data)
        bad.close()
    bad = relays.Link(auth, relay.identity)
    bad.send(relays.call_frame(1, {}, os.urandom(100)))
    assert bad.receive()[2][4:8] != b"\0\0\0\0", "an error"
    assert auth.processes["broker"].pid == pid and auth.processes["broker"].poll() is None
    assert relay.login("anna").result.error == ""


def audited(house):
    """Bytes of all records."""
    return os.path.getsize(os.path.join(house.dir, "db", "audit.log"))


def test_threat_40_a_stranger_fills_no_log(auth):
    """It asks once, and only to enrol: nothing else is worth a record, or a second answer."""
    auth.call("begin", {"user": "anna", "service": "sshd", "proof": 1})
    before, said = audited(auth), len(auth.log())
    assert before > 0
    ask = relays.encode("begin", {"user": "anna", "service": "sshd", "proof": 1})
    link = relays.Link(auth, None)
    with pytest.raises(OSError):
        link.send(b"".join(relays.call_frame(i, {"uid": 0, "alive": 1}, ask) for i in range(1, 301)))
        link.receive()
    assert audited(auth) == before
    assert len(auth.log()) - said < 1000
    link = relays.Link(auth, None)
    assert link.call("host_enroll", {"name": "web1"})[0].error
    with pytest.raises(OSError):
        link.call("host_enroll", {"name": "web1"})


def test_threat_40_a_revoked_host_fills_no_log(auth, relay):
    link = relays.Link(auth, relay.identity)
    assert link.call("ping")[0].error == ""
    relays.ctl(auth, "host", "revoke", "web1", "--yes")
    before, said = audited(auth), len(auth.log())
    ask = relays.encode("account_list")
    with pytest.raises(OSError):
        link.send(b"".join(relays.call_frame(i, {"uid": 0, "alive": 1}, ask) for i in range(1, 301)))
        while True:
            assert relays.decode("account_list", link.receive()[2])[0].error in ("PERM", "BUSY")
    assert audited(auth) == before
    assert auth.log()[said:].count("its certificate is not valid") == 1


def test_threat_40_an_old_identity_takes_no_room(auth, relay, open_dir):
    """Links are counted by certificate: of the thief of a revoked one, the thief's."""
    old = os.path.join(open_dir, "stolen.pem")
    shutil.copy(relay.identity, old)
    relays.ctl(auth, "host", "revoke", "web1", "--yes")
    relay.stop("broker")
    relay.enroll()
    thief = [relays.Link(auth, old) for _ in range(8)]
    for _ in range(8):
        assert relays.Link(auth, relay.identity).call("ping")[0].error == ""
    for link in thief:
        link.close()


def test_threat_40_a_handshake_is_not_held(auth):
    """A byte now and then does not make it longer."""
    raw = socket.create_connection(auth.relays_at, 10)
    raw.sendall(b"\x16\x03\x01\x02\x00\x01")
    start = time.monotonic()
    raw.settimeout(0.5)
    ended = False
    while not ended and time.monotonic() - start < 12:
        try:
            raw.sendall(b"\0")
            ended = raw.recv(100) == b""
        except TimeoutError:
            pass
        except OSError:
            ended = True
    raw.close()
    assert ended and time.monotonic() - start < 9


def test_threat_40_users_leave_room_for_root(auth, relay):
    """Of eight calls at a time, six may be ordinary users'."""
    link = relays.Link(auth, relay.identity)
    ask = relays.encode("ping")

    def flood(uid):
        link.send(b"".join(relays.call_frame(i, {"uid": uid, "alive": 1}, ask) for i in range(1, 51)))
        return [relays.decode("ping", link.receive()[2])[0].error for _ in range(50)].count("")

    assert flood(12002) < flood(0)


def test_threat_40_a_flood_starves_nobody(auth, open_dir):
    with Relay(os.path.join(open_dir, "web1"), [auth], "web1") as flood, \
            Relay(os.path.join(open_dir, "web2"), [auth], "web2") as other:
        flood.enroll()
        other.enroll()
        other.start_broker()
        pid = auth.processes["broker"].pid
        links = [relays.Link(auth, flood.identity) for _ in range(4)]
        ask = relays.encode("begin", {"user": "anna", "service": "sshd", "proof": 1})
        for link in links:
            link.send(b"".join(relays.call_frame(i, {"alive": 1}, ask) for i in range(1, 401)))
        start = time.monotonic()
        assert other.login("anna").result.error == ""
        assert time.monotonic() - start < 3
        errors = set()
        for link in links:
            for _ in range(400):
                kind, _, body = link.receive()
                assert kind == 2
                errors.add(relays.decode("begin", body)[0].error)
        assert errors == {"", "BUSY"}, "it was served within its share"
        assert auth.processes["broker"].pid == pid


def test_threat_13_sessions_of_a_relay(auth, relay, open_dir):
    """Whether a session's leader lives the relay is asked; sessions are of its host."""
    link = relays.Link(auth, relay.identity)
    root = {"uid": 0, "alive": 1, "pid": 4242, "start": 99, "sid": 5}
    anna = {"uid": 12001, "alive": 1, "pid": 4300, "start": 120, "sid": 77, "loginuid": 12001}
    login = link.call("begin", {"user": "anna", "service": "sshd", "uid": 12001, "proof": 1}, root)[1]
    link.call("send", {"txn": login["txn"], "seq": 1, "ref": 1}, root)
    code = relay.code(auth.number_of["anna"])
    assert link.call("verify", {"txn": login["txn"], "seq": 2, "ref": 1, "code": code}, root)[0].verdict == "ok"
    opened = {**root, "sid": 77, "loginuid": 12001}
    reply = link.call("open", {"txn": login["txn"], "user": "anna", "service": "sshd", "uid": 12001}, opened)[1]
    assert (reply["recorded"], reply["strength"]) == (1, "phone-otp")
    link.send(relays.call_frame(90, anna, relays.encode("status", {"user": "anna"})))
    kind, number, body = link.receive()
    assert (kind, number, int.from_bytes(body, "big")) == (relays.LOOK, 90, 4242)
    for start, strength in ((99, "phone-otp"), (98, "password"), (0, "password")):
        status = link.call("status", {"user": "anna"}, {**anna, "leader_pid": 4242, "leader_start": start})[1]
        assert status["strength"] == strength, start
    # The same numbers on another host are another session.
    with Relay(os.path.join(open_dir, "web2"), [auth], "web2") as other:
        other.enroll()
        status = relays.Link(auth, other.identity).call("status", {"user": "anna"}, anna)[1]
        assert status["strength"] == "password"
    assert [s["host"] for s in auth.ok("session_list")["sessions"]] == ["web1"]


# ---- failure ----


@pytest.fixture
def pair(house, open_dir):
    """Two auth hosts on one store, and a relay of both."""
    furnish(house)
    second = Neighbour(os.path.join(open_dir, "auth2"), house, "auth2")
    auth_host(second)
    second.start_broker()
    with second, Relay(os.path.join(open_dir, "web1"), [house, second], "web1") as relay:
        relay.enroll()
        relay.start_broker()
        yield house, second, relay
        print(relay.log()[-3000:])


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_threat_30_an_auth_host_dies_in_mid_login(pair, sig):
    """Killed, or only silent: the login goes on at the other one, the code is charged once."""
    first, second, relay = pair
    login = relay.login("anna")
    login.send()
    code = relay.code(first.number_of["anna"])
    p = first.processes["broker"]
    p.send_signal(sig)
    try:
        start = time.monotonic()
        result, reply = login.verify(wrong(code))
        assert (result.verdict, reply["tries_left"]) == ("code-wrong", 2), "charged once"
        assert time.monotonic() - start < 8
        assert login.verify(wrong(code), seq=login.seq)[1]["tries_left"] == 2, "a repeat"
        assert login.verify(code)[0].verdict == "ok"
        assert login.verify(code, seq=login.seq)[0].verdict == "ok", "its first answer"
        assert login.account()[0].verdict == "ok"
        assert relay.login("anna").verify(code)[0].verdict == "code-used"
    finally:
        p.kill()
        p.wait()
        first.processes.pop("broker")
    # And back: the second dies, the first serves again.
    first.start_broker()
    second.stop("broker", signal.SIGKILL)
    assert log_in(relay).account()[0].verdict == "ok"


def test_login_md_no_auth_host_is_broker_down(pair):
    """Said within the deadline; the relay goes on and serves again when one is back."""
    first, second, relay = pair
    pid = relay.processes["broker"].pid
    first.stop("broker", signal.SIGKILL)
    second.stop("broker", signal.SIGKILL)
    start = time.monotonic()
    assert relay.login("anna").result.error == "DOWN"
    assert time.monotonic() - start < 5
    first.start_broker()
    relays.wait_for("service", lambda: relay.login("anna").result.error == "")
    assert relay.processes["broker"].pid == pid and relay.processes["broker"].poll() is None


def test_threat_40_a_relay_opens_no_store(auth, relay, open_dir):
    pid = relay.processes["broker"].pid
    opened = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    assert not [name for name in opened if name.endswith((".db", "-wal", "master.key"))]
    maps = open("/proc/%d/status" % pid).read()
    assert "Seccomp:\t2" in maps or "Seccomp:\t0" in maps
    # Both at once is a mistake that is named.
    relay.conf(store={"url": "sqlite:/x/y.db"})
    refused = relay.run("otpcored", "--config", relay.conf_file, "-t", check=False)
    assert refused.returncode == 1 and "neither store nor master key" in refused.stderr


def test_a_relay_tells_its_own_numbers(auth, relay):
    """The auth host's are no business of another host's root."""
    rows = {(row["name"], row["labels"].partition("store=")[2].partition(",")[0]): row["value"]
            for row in relay.ok("stats")["stats"]}
    assert rows["magotp_otpcored_info", "relay"] == 1
    assert rows["magotp_connections", ""] >= 0
    assert relay.call("stats", uid=12001)[0].error == "PERM"


def test_P5_what_became_of_a_message_is_asked_through_a_relay(auth, relay):
    login = relay.login("anna")
    assert relay.call("fate", {"txn": login.txn})[0].verdict == "no-code-pending"
    login.send()
    assert relay.ok("fate", {"txn": login.txn})["delivery"] == 2


def test_a_relay_reads_its_own_settings_again(auth, relay):
    assert relay.call("reload", uid=12001)[0].error == "PERM"
    assert relay.login("anna", "nginx", uid=33).result.error == "PERM"
    relay.conf(broker={"verifiers": "www-data:nginx"})
    assert relay.ok("reload") is not None
    assert relay.login("anna", "nginx", uid=33).result.error == ""
    upstream = relay.sections["broker"].pop("upstream")
    relay.conf(store={"url": "sqlite:/x/y.db", "master_key": "file:/x"})
    result, _ = relay.call("reload")
    assert result.error == "INVAL" and "needs a restart" in result.detail
    del relay.sections["store"]
    relay.conf(broker={"upstream": upstream})
    assert relay.login("anna").result.error == "", "the old ones went on"
