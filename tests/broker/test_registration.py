"""The code that binds a phone is guarded like the code of a login."""

import glob
import os

from house import wrong


def add(house, user="anna"):
    number = house.number()
    reply = house.ok("phone_add", {"user": user, "number": number})
    return number, reply["ref"]


def verify(house, ref, code, user="anna"):
    result, reply = house.call("phone_verify", {"user": user, "ref": ref, "code": code})
    assert result.error == "", result
    return result.verdict, reply


def test_P4_registration_dies_after_three_wrong_codes(house):
    house.start()
    house.account("anna")
    number, ref = add(house)
    code = house.code(number)
    seen = [verify(house, ref, wrong(code)) for _ in range(3)]
    assert [(v, r["tries_left"]) for v, r in seen] == [
        ("code-wrong", 2), ("code-wrong", 1), ("tries-exceeded", 0)]
    # dead for the right code too, however often
    for _ in range(5):
        assert verify(house, ref, code)[0] == "tries-exceeded"
    assert house.ok("phone_list", {"user": "anna"})["phones"][0]["state"] == "pending"


def test_threat_06_registrations_count_for_the_account(house):
    house.conf(throttle={"total_30d": "7"}, phone={"sends_per_hour": "100"})
    house.start()
    house.account("anna")
    refused = 0
    for _ in range(4):
        number, ref = add(house)
        code = house.code(number)
        for _ in range(3):
            refused += verify(house, ref, wrong(code))[0] != "account-throttled"
        house.ok("phone_delete", {"user": "anna", "ref": ref})
    assert refused == 7  # evaluated, all charged
    number, ref = add(house)
    assert verify(house, ref, house.code(number))[0] == "account-throttled"


def test_right_code_charges_nothing_and_may_be_repeated(house):
    house.conf(throttle={"total_30d": "2"})
    house.start()
    house.account("anna")
    for _ in range(3):
        number, ref = add(house)
        code = house.code(number)
        assert verify(house, ref, code)[0] == "ok"
        assert verify(house, ref, code)[0] == "ok"  # its answer was lost
    # but guessing at a used code is guessing
    assert [verify(house, ref, wrong(code))[0] for _ in range(3)] == [
        "code-wrong", "code-wrong", "account-throttled"]


def test_observe_still_wants_the_first_factor(house):
    house.conf(**{"service sshd": {"observe": "yes"}})
    house.start()
    house.account("anna")
    login = house.login("anna", proof=0)
    assert login.begin["decision"] == 4 and login.txn == b""
    assert house.login("anna", proof=1).begin["decision"] == 3


def test_many_logins_a_day_keep_the_account_readable(house):
    """Each login leaves a counter of its chain: they must not crowd out what an
    account may carry."""
    house.conf(phone={"sends_per_hour": "100"})
    house.time_travel(0)
    house.start()
    house.account("anna")
    number = house.phone("anna")
    for n in range(300):
        if n % 90 == 89:
            house.time_travel(3600)
        login = house.login("anna")
        assert login.send()[0].verdict == "ok"
        assert login.verify(house.code(number))[0].verdict == "ok"
        for old in glob.glob(os.path.join(house.outbox, "*.json")):
            os.unlink(old)
