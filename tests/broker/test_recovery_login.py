"""Logins with recovery and break-glass codes."""

import concurrent.futures
import time

import pytest

import oath

ANNA = 12001


@pytest.fixture
def held(house):
    """anna with an active HOTP token and ten recovery codes: house.codes."""
    house.start()
    house.account("anna", uid=ANNA)
    row = oath.seed("A100")
    oath.stock(house, row)
    pair = {"code1": oath.hotp(row["secret"], 0), "code2": oath.hotp(row["secret"], 1)}
    house.ok("token_add", {"user": "anna", "serial": "A100", **pair})
    house.codes = [c["code"] for c in house.ok("recovery_codes", {"user": "anna"})["codes"]]
    return house


def answer(login, code):
    result, reply = login._call("verify", None, ref=0, code=code)
    return result.error or result.verdict, reply


def test_a_recovery_code_logs_in_once(held):
    verdict, reply = answer(held.login("anna"), held.codes[3])
    assert (verdict, reply["strength"], reply["level"]) == ("ok", "phone-otp", 2)
    assert answer(held.login("anna"), held.codes[3])[0] == "code-wrong"
    assert answer(held.login("anna"), held.codes[4].lower().replace("-", " "))[0] == "ok"


def test_of_many_at_once_one_gets_in(held):
    logins = [held.login("anna") for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda login: answer(login, held.codes[0])[0], logins))
    assert got.count("ok") == 1, got


def test_three_wrong_ones_end_the_login_and_are_charged(held):
    login = held.login("anna")
    assert [answer(login, "AAAA-AAAA-AAAA-AAA%d" % i)[0] for i in range(3)] == [
        "code-wrong", "code-wrong", "tries-exceeded"]
    assert answer(login, held.codes[0])[0] == "tries-exceeded"


def test_L10_an_unknown_user_gets_the_same_answers(held):
    def seen(user):
        login = held.login(user)
        return [answer(login, "AAAA-AAAA-AAAA-AAA%d" % i)[0] for i in range(3)]
    assert seen("nobody-here") == seen("anna")


def test_break_glass_stands_in_for_what_the_service_requires(held):
    code = held.ok("break_glass", {"user": "anna", "reason": "token drawer is locked",
                                   "until": int(time.time()) + 3600})["code"]
    verdict, reply = answer(held.login("anna", require="mloa-hardware"), code)
    assert (verdict, reply["strength"]) == ("ok", "mloa-hardware")


def test_where_nothing_else_is_left_the_code_is_asked_for(held):
    held.ok("token_revoke", {"user": "anna", "id": "t1"})
    login = held.login("anna")
    assert [f["kind"] for f in login.begin["factors"]] == ["recovery"]
    assert answer(login, held.codes[0])[0] == "ok"


def test_what_is_used_or_over_is_no_way_in(house):
    """The prompt for a recovery code comes only where one of them would still be taken."""
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA)
    codes = [c["code"] for c in house.ok("recovery_codes", {"user": "anna"})["codes"]]

    def asked():
        return [f["kind"] for f in house.login("anna").begin["factors"]] == ["recovery"]

    for i, code in enumerate(codes):
        if i % 2:
            house.time_travel(3600)
        assert asked(), "code %d" % i
        assert answer(house.login("anna"), code)[0] == "ok"
    assert not asked()
    code = house.ok("break_glass", {"user": "anna", "reason": "new phone",
                                    "until": int(time.time()) + house.offset + 3600})["code"]
    assert asked()
    house.time_travel(3601)
    assert not asked()
    assert answer(house.login("anna"), code)[0] != "ok"


@pytest.mark.parametrize("line", [{"require": "hardware-otp"}, {"level": 3}])
def test_L7_a_recovery_code_is_not_more_than_it_is(held, line):
    """Where the token is required, its owner's code is no way around it, in no phase."""
    login = held.login("anna", **line)
    assert answer(login, held.codes[0])[0] in ("code-wrong", "STALE")
    assert login.account(**line)[0].verdict in ("requirements-not-met", "")
    assert answer(held.login("anna"), held.codes[0])[0] == "ok"  # it was not used up


def test_what_is_left_out_of_the_factors_is_not_taken(held):
    held.stop("broker")
    held.conf(policy={"factors": "phone hardware mobile"})
    held.start_broker()
    assert answer(held.login("anna"), held.codes[0])[0] == "code-wrong"
