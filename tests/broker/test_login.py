"""The login conversation against a real broker and a real smsd."""

import math
import time

import pytest

from house import UID_UNKNOWN, wrong


def verdict(answer):
    result, _ = answer
    assert result.error == "", result
    return result.verdict


def test_login_with_phone_code(anna):
    login = anna.login("anna", rhost="203.0.113.7")
    assert login.begin["decision"] == 1
    assert [f["masked"] for f in login.begin["factors"]] == [anna.number_of["anna"][-4:]]
    result, reply = login.send()
    assert result.verdict == "ok" and reply["delivery"] == 2 and reply["tries_left"] == 3
    result, reply = login.verify(anna.code(anna.number_of["anna"]))
    assert (result.verdict, reply["strength"], reply["level"]) == ("ok", "phone-otp", 2)
    result, reply = login.account()
    assert (result.verdict, reply["decision"]) == ("ok", 2)
    assert login.account()[1]["decision"] == 2  # asking twice answers twice
    assert verdict(login.open()) == "ok"


def test_L1_begin_sends_nothing_and_writes_nothing(anna):
    before = len(anna.messages())
    login = anna.login("anna")
    assert login.result.verdict == "ok" and len(anna.messages()) == before
    assert login.account()[1]["decision"] == 4  # nothing proven: deny


@pytest.mark.parametrize("proof", [0, 3])
def test_threat_08_unproven_password_gets_no_ticket(anna, proof):
    before = len(anna.messages())
    login = anna.login("anna", proof=proof)  # 3: a key, but no SSH_AUTH_INFO_0
    assert login.begin["decision"] == 4 and login.txn == b""
    assert login.send()[0].error == "STALE"
    assert login.verify("123456")[0].error == "STALE"
    assert len(anna.messages()) == before


def test_P4_code_expires_after_two_minutes(house):
    house.time_travel(0)
    house.start()
    house.account("anna")
    number = house.phone("anna")
    login = house.login("anna")
    begun = time.monotonic()
    login.send()
    code = house.code(number)
    house.time_travel(119 - math.ceil(time.monotonic() - begun))  # the clock goes on, too
    assert verdict(login.verify(code)) == "ok"

    login = house.login("anna")
    assert verdict(login.send()) == "ok"
    code = house.code(number)
    house.time_travel(121)
    result, reply = login.verify(code)
    assert result.verdict == "code-expired"
    assert verdict(login.verify(wrong(code))) == "code-expired"
    # Neither evaluated nor charged: a fresh code has all its tries.
    assert login.send()[1]["tries_left"] == 3


def test_P4_three_wrong_codes_end_the_login(anna):
    login = anna.login("anna")
    login.send()
    code = anna.code()
    for left in (2, 1):
        result, reply = login.verify(wrong(code))
        assert (result.verdict, reply["tries_left"]) == ("code-wrong", left)
        assert 100 < reply["seconds_left"] <= 120
    assert verdict(login.verify(wrong(code))) == "tries-exceeded"
    assert verdict(login.verify(code)) == "tries-exceeded"
    assert verdict(login.send(again=1)) == "tries-exceeded"
    # The code itself is dead, for another try of the same login too.
    other = anna.login("anna")
    assert verdict(other.verify(code)) == "no-code-pending"
    # A later login starts a new chain.
    assert other.send()[1]["tries_left"] == 3
    assert verdict(other.verify(anna.code())) == "ok"


def test_P4_code_is_good_once_and_for_its_login_only(anna):
    first, elsewhere = anna.login("anna"), anna.login("anna", service="su")
    first.send()
    code = anna.code()
    assert verdict(elsewhere.verify(code)) == "no-code-pending"
    assert verdict(first.verify(code)) == "ok"
    assert first.verify(code)[0].error == "STALE"  # this login is decided
    again = anna.login("anna")
    assert verdict(again.verify(code)) == "code-used"


def test_P5_resend_kills_the_old_code_and_keeps_the_tries(house):
    house.conf(phone={"resend_wait": "0s"})
    house.start()
    house.account("anna")
    number = house.phone("anna")
    login = house.login("anna")
    login.send()
    old = house.code(number)
    assert login.verify(wrong(old))[1]["tries_left"] == 2
    result, reply = login.send(again=1)
    assert (result.verdict, reply["reused"], reply["tries_left"]) == ("ok", 0, 2)
    new = house.code(number)
    if old != new:
        result, reply = login.verify(old)
        assert (result.verdict, reply["tries_left"]) == ("code-wrong", 1)
    assert verdict(login.verify(new)) == "ok"


def test_P5_resend_waits_but_another_channel_does_not(anna):
    login = anna.login("anna")
    login.send()
    result, _ = login.send(again=1)
    assert result.verdict == "try-later" and 0 < result.seconds <= 20
    result, reply = login.send(channel="voice")
    assert (result.verdict, reply["reused"], reply["channel"]) == ("ok", 0, "voice")
    assert anna.last_message()["channel"] == "voice"
    assert verdict(login.verify(anna.code())) == "ok"


def test_live_code_is_used_again_and_not_sent_twice(anna):
    anna.login("anna").send()
    count = len(anna.messages())
    login = anna.login("anna")
    result, reply = login.send()
    assert (result.verdict, reply["reused"]) == ("ok", 1)
    assert len(anna.messages()) == count
    assert verdict(login.verify(anna.code())) == "ok"


def test_P5_sending_is_limited_per_account(house):
    house.conf(phone={"resend_wait": "0s", "sends_per_hour": "3"})
    house.start()
    house.account("anna")
    house.phone("anna")  # one of the three
    login = house.login("anna")
    assert verdict(login.send()) == "ok"
    assert verdict(login.send(again=1)) == "ok"
    result, _ = login.send(again=1)
    assert result.verdict == "send-limited" and 0 < result.seconds <= 3600


def test_P5_sending_is_limited_by_the_day_too(house):
    house.conf(phone={"resend_wait": "0s", "sends_per_day": "3"})
    house.time_travel(0)
    house.start()
    house.account("anna")
    house.phone("anna")  # one of the three
    login = house.login("anna")
    assert verdict(login.send()) == "ok"
    house.time_travel(3600 if time.gmtime().tm_hour < 23 else 0)
    login = house.login("anna")
    assert verdict(login.send(again=1)) == "ok"
    result, _ = login.send(again=1)
    assert result.verdict == "send-limited" and 0 < result.seconds <= 86400
    house.time_travel(86400)
    assert verdict(house.login("anna").send(again=1)) == "ok"


def test_P12_charge_is_named_before_the_first_message(anna):
    ids = [n["id"] for n in anna.login("anna").begin["notices"]]
    assert "carrier-charge" in ids
    login = anna.login("anna")
    login.send()
    login.verify(anna.code())
    assert "carrier-charge" not in [n["id"] for n in anna.login("anna").begin["notices"]]


def test_combined_code_of_one_connection_is_good_on_the_next(anna):
    sms = anna.login("anna", mode="combined", rhost="10.0.0.1")
    sms.send()
    code = anna.login("anna", mode="combined", rhost="10.0.0.2")
    assert verdict(code.verify(anna.code(), ref=0)) == "ok"
    # Not so where the address counts.
    anna.login("anna", rhost="10.0.0.1").send()
    other = anna.login("anna", rhost="10.0.0.2")
    assert verdict(other.verify(anna.code())) == "no-code-pending"


def test_repeated_sequence_gets_its_first_answer(anna):
    login = anna.login("anna")
    first = login.send()
    count = len(anna.messages())
    repeat = login.send(seq=1)
    assert repeat[0] == first[0] and repeat[1]["delivery"] == 2
    assert len(anna.messages()) == count
    code = anna.code()
    assert login.verify(wrong(code), seq=2)[1]["tries_left"] == 2
    assert login.verify(wrong(code), seq=2)[1]["tries_left"] == 2
    assert verdict(login.verify(code, seq=2)) == "code-wrong"  # the first answer stands
    assert login.verify(code, seq=1)[0].error == "STALE"
    assert verdict(login.verify(code, seq=3)) == "ok"
    assert verdict(login.verify("000000", seq=3)) == "ok"


def test_L3_skip_only_where_the_policy_lets_it(house):
    house.conf(**{"service portal": {"require": "password", "skip": "yes"},
                  "service strict": {"require": "phone-otp", "skip": "yes"}})
    house.start()
    house.account("anna")
    house.phone("anna")
    portal = house.login("anna", "portal")
    assert portal.begin["decision"] == 1 and portal.begin["skip"] == 1
    assert portal.skip()[1]["strength"] == "password"
    assert portal.account()[1]["decision"] == 2
    strict = house.login("anna", "strict")
    assert strict.begin["skip"] == 0
    assert verdict(strict.skip()) == "requirements-not-met"
    assert verdict(strict.account()) == "requirements-not-met"


def test_require_on_the_line_beats_the_section(anna):
    login = anna.login("anna", require="password")
    assert login.begin["decision"] == 2
    assert login.account(require="password")[1]["decision"] == 2
    token = anna.login("anna", require="hardware-otp")
    assert token.begin["decision"] == 4 and token.result.verdict == "requirements-not-met"
    nonsense = anna.login("anna", require="passwort")
    assert nonsense.begin["decision"] == 4 and nonsense.result.detail == "require=passwort"


def test_O9_number_of_registered_methods(house):
    house.conf(**{"service sshd": {"methods": "2"}})
    house.start()
    house.account("anna")
    house.phone("anna")
    login = house.login("anna")
    assert (login.begin["decision"], login.result.verdict, login.result.detail) == (
        4, "requirements-not-met", "methods")
    house.phone("anna")
    login = house.login("anna")
    assert login.begin["decision"] == 1
    login.send()
    assert verdict(login.verify(house.code())) == "ok"
    assert login.account()[1]["decision"] == 2


def test_exempt_users_and_networks(house):
    house.conf(**{"service sshd": {"exempt_users": "backup",
                                   "exempt_networks": "10.0.0.0/8"}})
    house.start()
    house.account("anna")
    house.phone("anna")
    assert house.login("backup").begin["decision"] == 3
    assert house.login("anna", rhost="::ffff:10.1.2.3").begin["decision"] == 3
    assert house.login("anna", rhost="host.in.10.example").begin["decision"] == 1
    assert house.login("anna", rhost="10.1.2.3", proof=0).begin["decision"] == 4
    result, reply = house.call("account", {"user": "anna", "service": "sshd",
                                           "uid": UID_UNKNOWN, "rhost": "10.9.9.9"})
    assert reply["decision"] == 3


def test_key_alone_is_a_password(anna):
    result, reply = anna.call("account", {"user": "anna", "service": "sshd", "uid": UID_UNKNOWN})
    assert (result.verdict, result.detail) == ("requirements-not-met", "key-alone")
    assert reply["decision"] == 4 and reply["strength"] == "password"
    anna.conf(**{"service sshd": {"publickey_alone": "allow"}})
    anna.processes["broker"].send_signal(1)
    for _ in range(50):
        _, reply = anna.call("account", {"user": "anna", "service": "sshd", "uid": UID_UNKNOWN})
        if reply["decision"] == 2:
            return
    raise AssertionError("publickey_alone = allow was not read")


def test_unenrolled_allow_lets_the_never_enrolled_in_only(house):
    house.conf(**{"service sshd": {"unenrolled": "allow"}})
    house.start()
    house.account("anna", uid=12001)
    assert house.login("anna").begin["decision"] == 3
    assert house.login("nobody-there").begin["decision"] == 3
    # Another person has this name by now (threat 12).
    result, reply = house.call("begin", {"user": "anna", "service": "sshd", "proof": 1,
                                         "uid": 4711})
    assert reply["decision"] == 1
    house.phone("anna")
    assert house.login("anna").begin["decision"] == 1


def test_observe_refuses_nobody(house):
    house.conf(**{"service sshd": {"observe": "yes"}})
    house.start()
    assert house.login("nobody-there").begin["decision"] == 3
    result, reply = house.call("account", {"user": "nobody-there", "service": "sshd",
                                           "uid": UID_UNKNOWN})
    assert reply["decision"] == 3


def test_send_failure_is_told_and_not_charged(house):
    house.conf(phone={"sends_per_hour": "3"})
    house.start()
    house.account("anna")
    house.phone("anna")
    house.stop("smsd")
    login = house.login("anna")
    for _ in range(4):  # each is given back: four fit into the two that are left
        result, reply = login.send()
        assert (result.verdict, reply["delivery"]) == ("send-failed", 3)
    house.start_smsd()
    result, reply = login.send()
    assert (result.verdict, reply["delivery"], reply["reused"]) == ("ok", 2, 0)
    assert verdict(login.verify(house.code())) == "ok"


def test_login_survives_a_restart_of_the_broker(anna):
    login = anna.login("anna")
    login.send()
    anna.stop("broker")
    anna.start_broker()
    assert verdict(login.verify(anna.code())) == "ok"
    anna.stop("broker")
    anna.start_broker()
    assert login.account()[1]["decision"] == 2


def test_ticket_dies_after_ten_minutes(house):
    house.time_travel(0)
    house.start()
    house.account("anna")
    house.phone("anna")
    login = house.login("anna")
    house.time_travel(601)
    assert login.send()[0].error == "STALE"


def test_tampered_ticket_is_none(anna):
    login = anna.login("anna")
    login.txn = login.txn[:-1] + bytes([login.txn[-1] ^ 1])
    assert login.send()[0].error == "STALE"
    login.txn = b"x"
    assert login.verify("123456")[0].error == "STALE"


def test_account_with_ticket_of_another_service_is_refused(anna):
    login = anna.login("anna")
    login.send()
    login.verify(anna.code())
    login.service = "su"
    assert login.account()[0].error == "STALE"
    login.service, login.user = "sshd", "bert"
    assert login.account()[0].error == "STALE"


def test_open_is_once(anna):
    login = anna.login("anna")
    login.send()
    login.verify(anna.code())
    assert verdict(login.open()) == "ok"
    assert login.open()[0].error == "STALE"
    assert login.account()[0].error == "STALE"
    # L9: the next one hears of it.
    later = anna.login("anna", rhost="198.51.100.1")
    later.send()
    later.verify(anna.code())
    _, reply = later.open()
    assert reply["previous_at"] > 0 and reply["previous_strength"] == "phone-otp"
