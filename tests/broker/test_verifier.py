"""Verifiers that are not root and were taken over (security.md 9): budgets of their own,
and nothing of what they do counts for anybody else."""

import pwd
import sqlite3
import time

import pytest

from house import UID_UNKNOWN, needs_root, wrong

pytestmark = needs_root

WEB = pwd.getpwnam("www-data").pw_uid
BACKUP = pwd.getpwnam("backup").pw_uid
ASK = 1
REAL = 20


@pytest.fixture
def house(house):
    house.conf(broker={"verifiers": "www-data:nginx backup:nginx"}, phone={"resend_wait": 0},
               throttle={"delay": "0"}, **{"service *": {"exempt_networks": "10.0.0.0/8",
                                                         "exempt_groups": "wheel"}})
    return house


@pytest.fixture
def anna(house):
    house.start()
    house.account("anna", uid=12001)
    house.phone("anna")
    return house


def web(house, user="anna", uid=WEB, **fields):
    return house.login(user, "nginx", uid=uid, **fields)


def throttled(house, *kinds):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT kind, subject, count FROM throttle WHERE count > 0 AND kind IN "
                          "(%s)" % ",".join(map(str, kinds))).fetchall()


def test_threat_09_other_services_exempt_addresses_and_1000_accounts(house):
    """All of it refused; nobody's login elsewhere is held up by it."""
    house.conf(throttle={"per_verifier": 10})
    house.time_travel(int(-time.time() % 3600) + 60)  # budgets are an hour's: none ends meanwhile
    house.start()
    numbers = {}
    for i in range(REAL):
        house.account("user%d" % (i * 50), uid=20000 + i)
        numbers["user%d" % (i * 50)] = house.phone("user%d" % (i * 50))
    before, answers = len(house.messages()), []
    for i in range(1000):
        user = "user%d" % i
        assert house.login(user, "sshd", uid=WEB).result.error == "PERM"
        login = web(house, user, rhost="10.1.1.1", tells_groups=2, groups="wheel")
        assert login.begin["decision"] == ASK
        result, reply = login.send()
        answers.append((result.verdict, reply["masked"]))
    # Who exists cannot be told from what was sent, and little was.
    assert [a for a in answers if a[0] == "ok"] == [("ok", "")] * 10
    assert answers[:10] == [("ok", "")] * 10 and set(answers[10:]) == {("send-limited", "")}
    assert len(house.messages()) - before <= 10
    # Another verifier has its own budget, and everybody theirs.
    assert web(house, "user950", uid=BACKUP).send()[0].verdict == "ok"
    for user in ("user0", "user950"):
        login = house.login(user)
        login.send()
        assert login.verify(house.code(numbers[user]))[0].verdict == "ok"


def test_threat_09_half_of_an_accounts_messages(anna):
    sent = [web(anna, rhost="203.0.113.%d" % i).send(again=1)[0].verdict for i in range(8)]
    assert sent == ["ok"] * 5 + ["send-limited"] * 3
    assert web(anna).send()[0].seconds > 0
    own = [anna.login("anna", rhost="198.51.100.%d" % i).send()[0].verdict for i in range(6)]
    assert own == ["ok"] * 4 + ["send-limited"] * 2  # one was for the registration


def test_threat_09_its_guesses_lock_itself(anna):
    """At this account, whatever it says of addresses; others go on, it too elsewhere."""
    anna.account("bert", uid=12002)
    anna.phone("bert")
    verdicts = []
    for i in range(20):
        login = web(anna, rhost="203.0.113.%d" % i)
        if login.send()[0].verdict != "ok":
            break
        verdicts += [login.verify(wrong(anna.code()))[0].verdict for _ in range(3)]
    assert "account-throttled" in verdicts or web(anna).send()[0].verdict != "ok"
    assert not throttled(anna, 2, 3)  # neither the account's total nor the phone's
    login = anna.login("anna", rhost="203.0.113.7")
    assert login.send()[0].verdict == "ok"
    assert login.verify(anna.code())[0].verdict == "ok"
    other = web(anna, "bert")
    assert other.send()[0].verdict == "ok"
    assert other.verify(anna.code())[0].verdict == "ok"


def test_threat_09_guesses_over_many_accounts_are_one_verifiers(house):
    house.conf(throttle={"per_source": 5})
    house.start()
    for i in range(8):
        house.account("user%d" % i, uid=20000 + i)
        house.phone("user%d" % i)
    verdicts = []
    for i in range(8):
        login = web(house, "user%d" % i, rhost="203.0.113.%d" % i)
        login.send()
        verdicts.append(login.verify(wrong(house.code()))[0].verdict)
    assert verdicts == ["code-wrong"] * 5 + ["account-throttled"] * 3 or \
        verdicts == ["code-wrong"] * 5 + ["try-later"] * 3, verdicts


def test_threat_09_its_success_resets_nothing_and_is_worth_nothing_elsewhere(anna):
    login = anna.login("anna", rhost="203.0.113.7")
    login.send()
    for _ in range(2):
        assert login.verify(wrong(anna.code()))[0].verdict == "code-wrong"
    charged = throttled(anna, 2, 3, 4, 5, 6)
    assert charged
    login = web(anna)
    login.send()
    assert login.verify(anna.code())[0].verdict == "ok"
    assert throttled(anna, 2, 3, 4, 5, 6) == charged
    result, reply = login.account()
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    assert login.open()[1]["recorded"] == 0
    # Its ticket is for its own service, and no other service takes its word.
    for service in ("sshd", "sudo"):
        result, _ = anna.call("account", {"txn": login.txn, "user": "anna", "service": service,
                                          "uid": UID_UNKNOWN}, uid=WEB)
        assert result.error in ("PERM", "STALE")
        assert anna.login("anna", service).begin["decision"] == ASK
    status = anna.call("status", {"user": "anna"}, uid=12001)[1]
    assert (status["recorded"], status["strength"]) == (0, "password")
    # It grants nothing that needs a second factor.
    assert anna.call("phone_channel", {"user": "anna", "ref": 1, "channel": "voice",
                                       "grant": login.txn}, uid=WEB)[0].error == "PERM"
