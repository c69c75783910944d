"""Identity proofing on the running broker (I1-I8, H12, what I3 takes back)."""

import concurrent.futures
import json
import os
import re
import sqlite3
import time

import pytest

from house import needs_root
from test_token_login import TOKEN
from test_tokens import Hotp, add, mails, state

DAY = 86400
ANNA, BERT, BOSS, AGENT, BLUE, FREE = 12001, 12002, 12003, 12006, 12007, 12008
NAME = {"first": "Anna", "middle": "Bridget", "last": "Example"}


@pytest.fixture
def home(house):
    """anna, who has a name, a country and an address; a clock that can be moved."""
    house.conf(licences={"mode": "required"})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org", country="US", **NAME)
    return house


def ask(house, message, uid=None, **fields):
    result, reply = house.call(message, {"user": "anna", **fields}, uid=uid)
    return result.error or result.verdict, reply


def key(house, product="phone-us", proofing=1, user="anna"):
    made = house.ok("licence_issue", {"product": product, "proofing": proofing, "count": 1})
    return ask(house, "activate", user=user, key=made["keys"][0]["key"])


def issue(house, uid=None, **fields):
    fields = {"method": "webcam", "name": "Anna Example", **fields}
    if uid is None:
        fields.setdefault("agent", "carol")
    return ask(house, "proofing_issue", uid, **fields)


def code_for(house, **fields):
    verdict, reply = issue(house, **fields)
    assert verdict == "ok", verdict
    return reply["code"]


def enter(house, code, uid=None, user="anna"):
    return ask(house, "activate", uid, user=user, key=code)


def mine(house, user="anna"):
    reply = house.ok("proofing_mine", {"user": user})
    return reply["products"], reply["courses"]


def need(house, product="phone-us"):
    return {p["product"]: (p["proofing"], p["level"]) for p in mine(house)[0]}[product]


def phone_state(house, ref=1, user="anna"):
    phones = house.ok("phone_list", {"user": user})["phones"]
    return {p["ref"]: p["state"] for p in phones}[ref]


def notices(reply):
    return [n["id"] for n in reply["notices"]]


@pytest.fixture
def waiting(home):
    """anna with a phone that waits for proofing; home.mobile is its number."""
    assert key(home)[0] == "ok"
    home.mobile = home.phone("anna")
    return home


@pytest.fixture
def proofed(waiting):
    assert enter(waiting, code_for(waiting))[0] == "ok"
    return waiting


# ---- I1: what waits, and the code ----


def test_I1_a_phone_waits_for_the_activation_code(waiting):
    assert phone_state(waiting) == "pending-approval"
    assert need(waiting) == ("wanted", 2)
    login = waiting.login("anna")
    assert login.begin["decision"] != 1 and login.result.verdict == "proofing-pending"
    assert notices(login.begin) == ["proofing-pending"]
    assert notices(waiting.ok("status", {"user": "anna"})) == ["proofing-pending"]
    assert not waiting.messages() or waiting.messages()[-1]["to"] == waiting.mobile
    code = code_for(waiting)
    assert re.fullmatch(r"([0-9A-Z]{5}-){3}[0-9A-Z]{5}", code)
    assert phone_state(waiting) == "pending-approval"  # not by the agent: by the person
    verdict, reply = enter(waiting, code.lower().replace("-", " "))
    assert (verdict, reply["level"], reply["proofed"]) == ("ok", 3, 1)
    assert reply["approved"] == "phone " + waiting.mobile[-4:]
    assert phone_state(waiting) == "active" and need(waiting) == ("passed", 3)
    login = waiting.login("anna", level=3)
    assert login.begin["decision"] == 1 and "proofing-pending" not in notices(login.begin)
    login.send()
    result, reply = login.verify(waiting.code(waiting.mobile))
    assert (result.verdict, reply["level"]) == ("ok", 3)


def test_I1_a_token_waits_and_needs_no_codes_again(home):
    assert key(home, "hardware")[0] == "ok"
    token = Hotp(home, "A100")
    verdict, reply = add(home, token)
    assert (verdict, reply["state"]) == ("ok", "pending-approval")
    assert state(home, token) == "pending-approval"
    assert "proofing-wanted" in mails(home) and "activation" not in mails(home)
    login = home.login("anna", require="hardware-otp")
    assert login.result.verdict == "proofing-pending"
    assert ask(home, "token_resync", id="t1", **token.pair())[0] == "proofing-pending"
    assert add(home, token)[0] == "proofing-pending"
    assert enter(home, code_for(home))[0] == "ok"
    assert state(home, token) == "active"
    login = home.login("anna", require="hardware-otp", level=3)
    token.at += 1
    result, reply = login.verify(token.code(token.at - 1), ref=TOKEN)
    assert (result.verdict, reply["level"]) == ("ok", 3)


def test_I1_an_app_waits(home):
    import base64
    import urllib.parse

    import oath

    assert key(home, "mobile")[0] == "ok"
    uri = home.ok("mobile_add", {"user": "anna"})["uri"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query)
    seed = base64.b32decode(query["secret"][0])
    reply = home.ok("mobile_confirm", {"user": "anna", "code": oath.totp(seed, time.time())})
    assert reply["state"] == "pending-approval"
    assert enter(home, code_for(home))[1]["approved"].startswith("app ")
    assert home.ok("token_mine", {"user": "anna"})["tokens"][0]["state"] == "active"


def test_I1_without_proofing_nothing_waits(home):
    assert key(home, proofing=0)[0] == "ok"
    home.phone("anna")
    assert phone_state(home) == "active" and need(home) == ("", 2)
    assert issue(home)[0] == "not-allowed"


def test_I1_a_sponsored_product_waits_too(home):
    home.ok("sponsor", {"user": "anna", "product": "phone-us", "proofing": 1})
    home.phone("anna")
    assert phone_state(home) == "pending-approval"


def test_I1_a_renewal_without_proofing_is_no_way_around_it(waiting):
    assert key(waiting, proofing=0)[0] == "ok"
    assert phone_state(waiting) == "pending-approval"


def test_I1_what_waits_is_no_second_factor(waiting):
    """Nobody can elevate with it, and it makes no recovery codes. A service that lets
    people in before they have a factor still does."""
    assert waiting.login("anna", service="elevate").result.verdict == "proofing-pending"
    waiting.conf(**{"service open": {"unenrolled": "allow"}})
    waiting.stop("broker")
    waiting.start_broker()
    assert waiting.login("anna", service="open").begin["decision"] == 3


def test_I1_a_code_expires_and_is_good_once(waiting):
    code = code_for(waiting)
    waiting.time_travel(30 * DAY + 1)
    assert enter(waiting, code)[0] == "proofing-code-wrong"
    assert mine(waiting)[1][0]["state"] == "expired"
    code = code_for(waiting)
    waiting.time_travel(30 * DAY - 10)
    assert enter(waiting, code)[0] == "ok"
    assert enter(waiting, code)[0] == "proofing-code-wrong"
    result, _ = waiting.call("activate", {"user": "anna", "key": code})
    assert "used already" in result.detail


def test_I1_how_long_a_code_is_good_is_a_setting(home):
    home.conf(lifecycle={"proofing_code": "2d"})
    home.stop("broker")
    home.start_broker()
    assert key(home)[0] == "ok"
    reply = issue(home)[1]
    assert 2 * DAY - 5 <= reply["expires"] - time.time() <= 2 * DAY + 5


def test_I1_typing_mistakes_are_no_guesses(waiting):
    code = code_for(waiting)
    broken = code[:12] + ("2" if code[12] != "2" else "3") + code[13:]
    for _ in range(15):
        result, _ = waiting.call("activate", {"user": "anna", "key": broken})
        assert (result.verdict, result.detail) == ("key-mistyped", "3")
    assert enter(waiting, code)[0] == "ok"


def test_I1_guessing_is_charged_like_keys(waiting):
    good, wrong = code_for(waiting), "00001-00002-00003-00004"
    seen = [enter(waiting, wrong)[0] for _ in range(11)]
    assert seen == ["proofing-code-wrong"] * 10 + ["try-later"]
    assert enter(waiting, good)[0] == "try-later"
    waiting.time_travel(3600)
    assert enter(waiting, good)[0] == "ok"


def test_I1_another_accounts_code_is_wrong(waiting):
    waiting.account("bert", uid=BERT, country="US", first="Bert", last="Other")
    assert key(waiting, user="bert")[0] == "ok"
    waiting.phone("bert")
    code = code_for(waiting)
    assert enter(waiting, code, user="bert")[0] == "proofing-code-wrong"
    assert enter(waiting, code)[0] == "ok"


@needs_root
def test_threat_38_of_64_at_once_one_wins(waiting):
    code = code_for(waiting)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        seen = [v for v, _ in pool.map(lambda _: enter(waiting, code), range(64))]
    assert seen.count("ok") == 1
    assert set(seen) <= {"ok", "proofing-code-wrong", "try-later"}
    assert need(waiting) == ("passed", 3)
    assert [c["state"] for c in mine(waiting)[1]] == ["done"]


# ---- I2: reissue, names ----


def test_I2_a_lost_code_is_replaced_and_the_old_one_dies(waiting):
    assert ask(waiting, "proofing_reissue")[0] == "not-allowed"
    old = code_for(waiting)
    verdict, reply = ask(waiting, "proofing_reissue", agent="carol")
    assert verdict == "ok" and reply["code"] != old
    result, _ = waiting.call("activate", {"user": "anna", "key": old})
    assert (result.verdict, "replaced" in result.detail) == ("proofing-code-wrong", True)
    assert [c["state"] for c in mine(waiting)[1]] == ["issued", "replaced"]
    assert enter(waiting, reply["code"])[0] == "ok"
    assert ask(waiting, "proofing_reissue")[0] == "not-allowed"  # nothing waits any more


def test_I2_what_has_expired_is_not_reissued(waiting):
    code_for(waiting)
    waiting.time_travel(31 * DAY)
    assert ask(waiting, "proofing_reissue")[0] == "not-allowed"
    assert issue(waiting)[0] == "ok"


def test_I2_issuing_again_kills_the_code_before(waiting):
    first, second = code_for(waiting), code_for(waiting)
    assert enter(waiting, first)[0] == "proofing-code-wrong"
    assert enter(waiting, second)[0] == "ok"


@pytest.mark.parametrize("name,verdict", [
    ("Anna Example", "ok"), ("ANNA  B.  EXAMPLE", "ok"), ("anna bridget example", "ok"),
    ("Anna Cecily Example", "name-mismatch"), ("Anna Exampel", "name-mismatch"),
    ("", "name-mismatch")])
def test_I2_the_name_must_be_the_accounts(waiting, name, verdict):
    assert issue(waiting, name=name)[0] == verdict


def test_I2_a_wrong_name_is_corrected_first(waiting):
    assert issue(waiting, name="Anna Sample")[0] == "name-mismatch"
    waiting.ok("account_set", {"user": "anna", "last": "Sample"})
    assert issue(waiting, name="Anna Sample")[0] == "ok"


# ---- I3: upgrade, and what takes it back ----


def upgrade(home):
    assert key(home, proofing=0)[0] == "ok"
    home.mobile = home.phone("anna")
    return home


def test_I3_upgrade_takes_nothing_away(home):
    upgrade(home)
    assert ask(home, "proofing_request", agree=1)[0] == "ok"
    assert need(home) == ("asked", 2) and phone_state(home) == "active"
    assert home.login("anna").begin["decision"] == 1
    assert home.login("anna", level=3).begin["decision"] != 1
    assert enter(home, code_for(home))[0] == "ok"
    assert need(home) == ("passed", 3)
    assert home.login("anna", level=3).begin["decision"] == 1
    assert ask(home, "proofing_request", agree=1)[0] == "not-allowed"


def test_I3_a_renewal_with_proofing_asks_for_the_upgrade(home):
    upgrade(home)
    verdict, reply = key(home)
    assert (verdict, reply["proofing"], reply["level"]) == ("ok", "asked", 2)
    assert phone_state(home) == "active"


def test_I3_the_requirements_must_be_ticked(home):
    upgrade(home)
    assert ask(home, "proofing_request")[0] == "INVAL"
    assert need(home) == ("", 2) and mine(home)[1] == []


@needs_root
def test_I3_upgrade_needs_an_otp_session(home):
    upgrade(home)
    assert ask(home, "proofing_request", ANNA, agree=1)[0] == "elevate-first"
    assert need(home) == ("", 2)


@needs_root
def test_I7_nobody_else_agrees(home):
    home.ok("account_set", {"user": "anna", "organisation": "red"})
    home.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    assert key(home)[0] == "ok"
    assert ask(home, "proofing_request", BOSS, agree=1)[0] == "not-allowed"
    assert ask(home, "proofing_request", ANNA, agree=1)[0] == "ok"


def test_I3_losing_every_credential_means_proofing_again(home):
    assert key(home, "hardware")[0] == "ok"
    first, second = Hotp(home, "A100"), Hotp(home, "A200")
    assert add(home, first)[0] == "ok"
    assert enter(home, code_for(home))[0] == "ok"
    assert need(home, "hardware") == ("passed", 3)
    assert ask(home, "token_revoke", id="t1")[0] == "ok"
    assert need(home, "hardware") == ("wanted", 2)
    assert add(home, second)[0] == "ok"
    assert state(home, second) == "pending-approval"
    assert enter(home, code_for(home))[0] == "ok"
    assert state(home, second) == "active"


def sweep(home):
    page = home.ok("sweep", {"confirm": 1})
    while page["next"]:
        page = home.ok("sweep", {"confirm": 1, "cursor": page["next"]})


def test_I3_the_calendars_revocation_counts(home):
    assert key(home, "hardware")[0] == "ok"
    assert add(home, Hotp(home, "A100"))[0] == "ok"
    assert enter(home, code_for(home))[0] == "ok"
    assert ask(home, "token_suspend", id="t1")[0] == "ok"
    home.time_travel(62 * DAY)
    sweep(home)
    assert need(home, "hardware") == ("wanted", 2)


def test_I3_expiry_is_no_loss(home):
    assert key(home, "hardware")[0] == "ok"
    token = Hotp(home, "A100")
    assert add(home, token)[0] == "ok"
    assert enter(home, code_for(home))[0] == "ok"
    home.time_travel(370 * DAY)
    sweep(home)
    assert state(home, token) == "expired"
    home.ok("renew", {"user": "anna"})
    assert state(home, token) == "active" and need(home, "hardware") == ("passed", 3)


def test_I3_a_deleted_phone_counts(home):
    """Two phones on two subscriptions: the proofed one loses its only one."""
    assert key(home)[0] == "ok"
    home.phone("anna")
    assert enter(home, code_for(home))[0] == "ok"
    assert key(home, "phone-intl", proofing=0)[0] == "ok"
    home.phone("anna", "+447400123456")
    assert ask(home, "phone_delete", ref=1)[0] == "ok"
    assert need(home) == ("wanted", 2) and need(home, "phone-intl") == ("", 2)
    assert phone_state(home, 2) == "active"


# ---- H12 ----


def test_H12_a_registered_phone_preserves_the_proofing(home):
    assert key(home, "hardware")[0] == "ok"
    token = Hotp(home, "A100")
    assert add(home, token)[0] == "ok"
    assert enter(home, code_for(home))[0] == "ok"
    home.phone("anna")  # added to the token's subscription (H10)
    assert ask(home, "token_revoke", id="t1")[0] == "ok"
    assert need(home, "hardware") == ("passed", 3) and phone_state(home) == "active"
    second = Hotp(home, "A200")
    verdict, reply = add(home, second)
    assert (verdict, reply["state"]) == ("ok", "active")


def test_H12_a_phone_instead_of_the_token(home):
    assert key(home, "hardware")[0] == "ok"
    home.phone("anna")
    assert phone_state(home) == "pending-approval"
    assert enter(home, code_for(home))[0] == "ok"
    assert phone_state(home) == "active" and need(home, "hardware") == ("passed", 3)


def test_H12_without_either_the_proofing_is_not_done(home):
    """The code stays good until it expires; then proofing has to be repeated."""
    assert key(home, "hardware")[0] == "ok"
    code = code_for(home)
    for _ in range(12):  # no guesses either
        assert enter(home, code)[0] == "not-allowed"
    assert need(home, "hardware") == ("wanted", 2)
    home.phone("anna")
    assert enter(home, code)[0] == "ok"


def test_H12_an_app_may_be_added_without_proofing_again(home):
    assert key(home, "mobile-hardware")[0] == "ok"
    token = Hotp(home, "A100")
    assert add(home, token)[0] == "ok"
    assert enter(home, code_for(home))[0] == "ok"
    assert home.ok("mobile_add", {"user": "anna"})["id"] == "m1"


# ---- I4, I5: methods and outcomes ----


@pytest.mark.parametrize("country,method,verdict", [
    ("US", "credit", "ok"), ("CA", "credit", "not-allowed"), ("-", "credit", "not-allowed"),
    ("CA", "webcam", "ok"), ("-", "in-person", "ok"), ("US", "letter", "INVAL")])
def test_I4_the_credit_method_is_for_us_persons(waiting, country, method, verdict):
    waiting.ok("account_set", {"user": "anna", "country": country})
    assert issue(waiting, method=method)[0] == verdict


def test_I4_a_country_is_two_letters(home):
    for country in ("us", "USA", "U", "1A"):
        assert ask(home, "account_set", country=country)[0] == "INVAL", country
    home.ok("account_set", {"user": "anna", "country": "DE"})
    assert home.ok("account_show", {"user": "anna"})["accounts"][0]["country"] == "DE"


def test_I5_located_but_wrong_answers_means_post(waiting):
    assert issue(waiting, method="webcam", post=1)[0] == "INVAL"
    code = code_for(waiting, method="credit", post=1)
    assert mine(waiting)[1][0]["outcome"] == "by-post"
    assert enter(waiting, code)[0] == "ok"


@pytest.mark.parametrize("reason", ["not-located", "unwilling", "disagreed"])
def test_I5_webcam_comes_next(waiting, reason):
    verdict, reply = ask(waiting, "proofing_fail", method="credit", reason=reason, agent="carol")
    assert (verdict, reply["next"]) == ("ok", "webcam")
    (course,) = mine(waiting)[1]
    assert (course["state"], course["outcome"], course["agent"]) == ("failed", reason, "carol")
    assert ask(waiting, "proofing_fail", method="webcam", reason=reason)[0] == "INVAL"
    assert issue(waiting)[0] == "ok"


@pytest.mark.parametrize("reason", ["passed", "by-post", "", "weather"])
def test_I5_these_are_no_failures(waiting, reason):
    assert ask(waiting, "proofing_fail", method="credit", reason=reason)[0] == "INVAL"


def test_I5_a_failure_kills_the_code(waiting):
    code = code_for(waiting)
    assert ask(waiting, "proofing_fail", method="webcam", reason="documents")[0] == "ok"
    assert enter(waiting, code)[0] == "proofing-code-wrong"


# ---- I6: appointments ----


def test_I6_made_moved_confirmed_missed_and_made_again(waiting):
    def schedule(**fields):
        return ask(waiting, "proofing_schedule", **fields)

    now = int(time.time())
    assert schedule(confirm=1)[0] == "INVAL"  # none was made
    assert schedule(at=now + DAY)[0] == "INVAL"  # how?
    assert schedule(at=now + DAY, method="credit")[0] == "INVAL"
    assert schedule(at=now - 10, method="webcam")[0] == "INVAL"
    assert schedule(at=now + 400 * DAY, method="webcam")[0] == "INVAL"
    assert schedule(at=now + DAY, method="webcam") == (
        "ok", {"at": now + DAY, "method": "webcam", "state": "scheduled"})
    assert schedule(at=now + 2 * DAY)[1]["at"] == now + 2 * DAY  # moved
    assert schedule(confirm=1) == (
        "ok", {"at": now + 2 * DAY, "method": "webcam", "state": "confirmed"})
    assert schedule(at=now + 3 * DAY)[1]["state"] == "scheduled"  # moved: not confirmed yet
    verdict, reply = ask(waiting, "proofing_fail", method="webcam", reason="missed")
    assert (verdict, reply["next"]) == ("ok", "webcam")
    assert [c["state"] for c in mine(waiting)[1]] == ["missed"]
    assert schedule(at=now + 4 * DAY, method="in-person", confirm=1)[1]["state"] == "confirmed"
    assert ask(waiting, "proofing_fail", method="in-person", reason="documents")[0] == "ok"
    assert schedule(at=now + 5 * DAY, method="in-person")[0] == "ok"  # made again
    assert [c["state"] for c in mine(waiting)[1]] == ["scheduled", "failed"]
    assert issue(waiting, method="in-person")[0] == "ok"
    assert [c["state"] for c in mine(waiting)[1]] == ["issued", "failed"]
    assert mails(waiting).count("proofing-appointment") == 6


# ---- I7: what is stored, what is mailed ----


def test_I7_what_was_proofed_is_not_stored(waiting):
    ask(waiting, "proofing_request", agree=1)
    code = code_for(waiting, name="ANNA B. EXAMPLE", agent="carol")
    assert enter(waiting, code)[0] == "ok"
    (course,) = mine(waiting)[1]
    assert (course["state"], course["method"], course["outcome"], course["agent"]) == (
        "done", "webcam", "passed", "carol")
    assert all(course[k] > 0 for k in ("agreed", "decided", "used", "created"))
    waiting.stop("broker")
    for name in os.listdir(os.path.join(waiting.dir, "db")):
        with open(os.path.join(waiting.dir, "db", name), "rb") as f:
            data = f.read()
        assert b"ANNA B. EXAMPLE" not in data and code.encode() not in data
        assert code.replace("-", "").encode() not in data
    assert code not in waiting.log() and "ANNA B. EXAMPLE" not in waiting.log()


def test_I7_the_agreement_is_mailed(waiting):
    assert ask(waiting, "proofing_request", agree=1)[0] == "ok"
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % waiting.dir, uri=True) as db:
        (args,) = db.execute("SELECT args FROM mail WHERE template = 'proofing-agreement'").fetchone()
    assert "terms=An agent checks who I am." in args and "date=20" in args
    for _ in range(300):
        text = "\n".join(json.dumps(m) for m in waiting.messages("anna@example.org"))
        if "you agreed to identity proofing" in text:
            break
        time.sleep(0.05)
    assert "An agent checks who I am." in text


def test_I8_mails_say_that_there_is_a_code_but_never_the_code(waiting):
    code = code_for(waiting)
    enter(waiting, code)
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % waiting.dir, uri=True) as db:
        rows = dict(db.execute("SELECT template, args FROM mail"))
    assert {"proofing-issued", "proofing-passed"} <= set(rows)
    assert not any(code in args for args in rows.values())
    assert "date=20" in rows["proofing-issued"]
    assert "approved=phone " + waiting.mobile[-4:] in rows["proofing-passed"]


# ---- who is an agent ----


@pytest.fixture
def agency(waiting):
    """anna is of red. agent serves red, blue's serves blue, free serves everybody."""
    waiting.ok("account_set", {"user": "anna", "organisation": "red"})
    waiting.account("agent", uid=AGENT, organisation="red", role="proofing-agent",
                    first="Ag", last="Ent", country="US")
    waiting.account("blue", uid=BLUE, organisation="blue", role="proofing-agent")
    waiting.account("free", uid=FREE, role="proofing-agent")
    waiting.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    return waiting


@needs_root
def test_O1_agents_serve_their_organisation(agency):
    assert issue(agency, BLUE)[0] == "PERM"
    assert issue(agency, BOSS)[0] == "PERM"  # administrators are no agents
    assert issue(agency, ANNA)[0] == "PERM"
    assert issue(agency, AGENT)[0] == "ok"
    assert mine(agency)[1][0]["agent"] == "agent"  # who it was comes from the kernel
    assert issue(agency, AGENT, agent="carol")[0] == "not-allowed"
    assert issue(agency, FREE)[0] == "ok"
    seen = lambda uid: [w["account"] for w in agency.ok("proofing_list", {}, uid=uid)["waiting"]]
    assert (seen(AGENT), seen(FREE), seen(None), seen(BLUE)) == (["anna"], ["anna"], ["anna"], [])
    assert agency.call("proofing_list", {}, uid=BOSS)[0].error == "PERM"
    assert agency.ok("proofing_show", {"user": "anna"}, uid=AGENT)["courses"]


@needs_root
def test_O1_an_agent_is_never_the_own_one(agency):
    assert key(agency, user="agent")[0] == "ok"
    agency.phone("agent")
    for uid, verdict in ((AGENT, "PERM"), (FREE, "ok")):
        assert ask(agency, "proofing_issue", uid, user="agent", method="webcam",
                   name="Ag Ent")[0] == verdict


@needs_root
def test_threat_01_an_agents_password_is_not_enough(agency):
    """Where the agent has a second factor, the session must show it."""
    assert key(agency, proofing=0, user="agent")[0] == "ok"
    agency.phone("agent")
    for message in ("proofing_issue", "proofing_reissue", "proofing_fail", "proofing_schedule"):
        assert ask(agency, message, AGENT)[0] == "elevate-first"


@needs_root
def test_threat_01_a_locked_agent_is_none(agency):
    with sqlite3.connect("%s/db/otpcore.db" % agency.dir) as db:
        db.execute("UPDATE account SET state = 3, version = version + 1 WHERE name = 'agent'")
    assert issue(agency, AGENT)[0] == "PERM"


def test_I1_who_waits_is_listed_in_pages(home):
    people = ["p%03d" % i for i in range(70)]
    for p in people:
        home.account(p)
        home.ok("sponsor", {"user": p, "product": "hardware", "proofing": 1})
    page = home.ok("proofing_list", {})
    assert len(page["waiting"]) == 60 and page["next"] == "p059"
    rest = home.ok("proofing_list", {"cursor": page["next"]})
    assert [w["account"] for w in page["waiting"] + rest["waiting"]] == people
    assert rest["next"] == "" and rest["waiting"][0]["proofing"] == "wanted"
