"""The life of hardware tokens and apps, on the running broker."""

import base64
import concurrent.futures
import re
import sqlite3
import time
import urllib.parse

import pytest

import oath
import wirepy
from house import needs_root

DAY, YEAR = 86400, 365 * 86400
ANNA, BERT, BOSS = 12001, 12002, 12003


class Hotp:
    """A token with a button: each code is the next."""

    def __init__(self, house, serial, organisation="", **fields):
        self.house, self.serial, self.at = house, serial, fields.get("counter", 0)
        self.row = oath.seed(serial, **fields)
        oath.stock(house, self.row, organisation=organisation)

    def code(self, n):
        return oath.hotp(self.row["secret"], n, self.row["digits"], self.row["algorithm"])

    def pair(self):
        self.at += 2
        return {"code1": self.code(self.at - 2), "code2": self.code(self.at - 1)}

    def wrong(self):
        """Two codes that are far from this token's."""
        return {"code1": self.code(self.at + 50000), "code2": self.code(self.at + 60000)}


def ask(house, name, uid=None, **fields):
    result, reply = house.call(name, {"user": "anna", **fields}, uid=uid)
    return result.error or result.verdict, reply


def add(house, token, uid=None, user="anna", **codes):
    return ask(house, "token_add", uid, user=user, serial=token.serial, **(codes or token.pair()))


def mine(house, user="anna"):
    return {t["serial"]: t for t in house.ok("token_mine", {"user": user})["tokens"]}


def state(house, token, user="anna"):
    return mine(house, user)[token.serial]["state"]


@pytest.fixture
def home(house):
    """anna, with a clock that can be moved."""
    house.time_travel(0)
    house.conf(lifecycle={"on_revoke": "keep"})  # test_revoke.py has the others
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    return house


@pytest.fixture
def held(home):
    """anna with an active HOTP token; home.token."""
    home.token = Hotp(home, "A100")
    assert add(home, home.token)[0] == "ok"
    return home


def mails(house):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return [template for (template,) in db.execute("SELECT template FROM mail ORDER BY id")]


# ---- the inventory ----


def test_H1_import_is_all_or_nothing(home):
    seeds = [oath.seed("S%d" % i) for i in range(200)]
    home.ok("token_stage", {"batch": 7, "seeds": seeds})
    # nothing of it is there before the commit
    assert ask(home, "token_add", serial="S1", code1="1", code2="2")[0] == "serial-unknown"
    assert home.call("token_show", {"serial": "S1"})[0].verdict == "serial-unknown"
    assert home.call("token_commit", {"batch": 7, "count": 199})[0].verdict == "not-allowed"
    assert home.ok("token_commit", {"batch": 7, "count": 200})["imported"] == 200
    page = home.ok("token_list", {"state": "stock"})
    assert len(page["tokens"]) == 60 and page["next"]
    seen = page["tokens"]
    while page["next"]:
        page = home.ok("token_list", {"state": "stock", "cursor": page["next"]})
        seen += page["tokens"]
    assert sorted(t["serial"] for t in seen) == sorted(s["serial"] for s in seeds)
    assert home.ok("token_show", {"serial": "S1"})["tokens"][0]["state"] == "stock"
    # thrown away
    home.ok("token_stage", {"batch": 8, "seeds": [oath.seed("T1")]})
    home.ok("token_commit", {"batch": 8, "cancel": 1})
    assert home.call("token_commit", {"batch": 8, "count": 1})[0].verdict == "not-allowed"


def test_H1_an_import_that_was_killed_gives_its_serials_back(home):
    seeds = [oath.seed("S%d" % i) for i in range(60)]
    home.ok("token_stage", {"batch": 7, "seeds": seeds[:30]})
    home.time_travel(500)
    home.ok("token_stage", {"batch": 7, "seeds": seeds[30:50]})
    home.time_travel(500)  # it may still go on
    result, reply = home.call("token_stage", {"batch": 8, "seeds": seeds})
    assert (result.verdict, reply["fault_row"]) == ("not-allowed", 1)
    home.time_travel(200)
    home.ok("token_stage", {"batch": 8, "seeds": seeds})
    assert home.call("token_commit", {"batch": 7, "count": 50})[0].verdict == "not-allowed"
    assert home.ok("token_commit", {"batch": 8, "count": 60})["imported"] == 60
    # what is in the inventory is nobody's to take
    home.time_travel(2 * DAY)
    result, reply = home.call("token_stage", {"batch": 9, "seeds": seeds[20:]})
    assert (result.verdict, reply["fault_row"]) == ("not-allowed", 1)
    assert len(home.ok("token_list", {"state": "stock"})["tokens"]) == 60


@pytest.mark.parametrize("fault", [
    {"digits": 5}, {"digits": 9}, {"secret": b"x" * 15}, {"algorithm": 4}, {"algorithm": 0},
    {"type": 3}, {"type": oath.TOTP, "period": 45}, {"serial": ""}, {"serial": "a b"},
    {"counter": -1}, {"serial": "S0"}, {"serial": "OLD"}])
def test_threat_36_what_the_importer_says_is_checked_again(home, fault):
    oath.stock(home, oath.seed("OLD"))
    seeds = [oath.seed("S0"), {**oath.seed("S1"), **fault}, oath.seed("S2")]
    result, reply = home.call("token_stage", {"batch": 9, "seeds": seeds})
    assert result.verdict == "not-allowed" and result.detail
    assert reply["fault_row"] == 2
    assert home.call("token_commit", {"batch": 9, "count": 3})[0].verdict == "not-allowed"
    assert [t["serial"] for t in home.ok("token_list", {})["tokens"]] == ["OLD"]


@needs_root
def test_threat_36_serials_belong_to_an_organisation(house):
    house.start()
    house.account("anna", uid=ANNA, organisation="red")
    house.account("bert", uid=BERT, organisation="blue")
    house.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    red, blue = Hotp(house, "R1", "red"), Hotp(house, "B1", "blue")
    assert [t["serial"] for t in house.ok("token_list", {}, uid=BOSS)["tokens"]] == ["R1"]
    assert house.call("token_show", {"serial": "B1"}, uid=BOSS)[0].verdict == "serial-unknown"
    assert ask(house, "token_assign", BOSS, serial="B1")[0] == "serial-unknown"
    assert ask(house, "token_assign", serial="B1")[0] == "not-allowed"
    assert add(house, blue)[0] == "serial-unknown"
    result, _ = house.call("token_stage", {"batch": 3, "organisation": "blue",
                                           "seeds": [oath.seed("B2")]}, uid=BOSS)
    assert result.verdict == "not-allowed"
    oath.stock(house, oath.seed("R2"), uid=BOSS)
    assert house.ok("token_show", {"serial": "R2"})["tokens"][0]["organisation"] == "red"
    assert ask(house, "token_assign", BOSS, serial="R1")[0] == "ok"
    assert add(house, red, uid=ANNA)[0] == "ok"


# ---- activation ----


@pytest.mark.parametrize("fields", [
    {}, {"digits": 8}, {"algorithm": 2, "digits": 7, "secret": b"k" * 32},
    {"algorithm": 3, "secret": b"k" * 64, "counter": 4711}])
def test_H2_activation_takes_two_consecutive_codes(home, fields):
    token = Hotp(home, "A1", **fields)
    n = token.at
    assert add(home, token, code1=token.code(n), code2=token.code(n + 2)) == (
        "codes-wrong", {"id": "", "serial": "", "expires": 0, "tries_left": 4, "state": ""})
    assert add(home, token, code1=token.code(n + 1), code2=token.code(n))[0] == "codes-wrong"
    assert add(home, token, code1=token.code(n), code2=token.code(n))[0] == "codes-wrong"
    verdict, reply = add(home, token)
    assert (verdict, reply["id"], reply["serial"]) == ("ok", "t1", "A1")
    assert 364 * DAY < reply["expires"] - time.time() < 367 * DAY
    line = mine(home)["A1"]
    assert (line["state"], line["id"], line["digits"]) == (
        "active", "t1", token.row["digits"])
    assert mails(home) == ["activation"]


def test_H2_a_totp_token_activates_with_two_steps(home):
    row = oath.seed("T1", oath.TOTP, period=60, digits=8)
    oath.stock(home, row)
    at = time.time()
    codes = [oath.totp(row["secret"], at + d, 8, 60) for d in (0, 60)]
    assert ask(home, "token_add", serial="T1", code1=codes[0], code2=codes[1])[0] == "ok"


def test_H13_five_wrong_pairs_block_until_an_administrator_helps(home):
    token = Hotp(home, "A1")
    seen = [add(home, token, **token.wrong()) for _ in range(5)]
    assert [(v, r["tries_left"]) for v, r in seen] == [
        ("codes-wrong", 4), ("codes-wrong", 3), ("codes-wrong", 2), ("codes-wrong", 1),
        ("activation-blocked", 0)]
    assert add(home, token)[0] == "activation-blocked"
    home.time_travel(90 * DAY)  # time does not help
    assert add(home, token)[0] == "activation-blocked"
    assert ask(home, "token_unlock")[0] == "ok"
    assert add(home, token)[0] == "ok"


def test_H13_serials_are_not_guessed(home):
    """Another's, one that is nobody's, and none: answered alike and counted alike."""
    home.account("bert", uid=BERT)
    bert = Hotp(home, "B1")
    assert add(home, bert, user="bert")[0] == "ok"
    token = Hotp(home, "A1")
    seen = [ask(home, "token_add", ANNA, serial=("B1", "X%d" % i)[i % 2], **token.wrong())[0]
            for i in range(12)]
    assert seen == 10 * ["serial-unknown"] + 2 * ["try-later"]
    # What would be right is not looked at either; pairs are not used up by it.
    result, _ = home.call("token_add", {"user": "anna", "serial": "A1", **token.pair()}, uid=ANNA)
    assert result.verdict == "try-later" and 0 < result.seconds <= 3600
    home.time_travel(3600)
    assert ask(home, "token_add", ANNA, serial="X9", **token.wrong())[0] == "serial-unknown"
    assert add(home, token)[0] == "ok"


def test_H13_64_serials_at_once(home):
    token = Hotp(home, "A1")
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        got = list(pool.map(lambda i: ask(home, "token_add", ANNA, serial="X%d" % i,
                                          **token.wrong())[0], range(64)))
    assert got.count("serial-unknown") == 10 and got.count("try-later") == 54, got


def test_H1_an_account_holds_one_token(held):
    second = Hotp(held, "A200")
    assert add(held, second)[0] == "not-allowed"
    assert ask(held, "token_assign", serial="A200")[0] == "not-allowed"
    held.account("bert", uid=BERT)
    assert add(held, held.token, user="bert")[0] == "serial-unknown"
    assert ask(held, "token_revoke", id="t1")[0] == "ok"
    assert add(held, second)[0] == "ok"
    assert add(held, held.token)[0] == "token-revoked"  # for good
    assert ask(held, "token_assign", user="bert", serial="A100")[0] != "ok"


def test_threat_38_of_many_accounts_one_gets_the_token(home):
    token = Hotp(home, "A1")
    people = ["p%d" % i for i in range(16)]
    for p in people:
        home.account(p)
    pair = token.pair()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda p: add(home, token, user=p, **pair)[0], people))
    assert got.count("ok") == 1, got
    assert set(got) <= {"ok", "serial-unknown", "codes-wrong"}
    assert sum(len(mine(home, p)) for p in people) == 1


def test_threat_38_of_many_tokens_an_account_gets_one(home):
    tokens = [Hotp(home, "A%d" % i) for i in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda t: add(home, t)[0], tokens))
    assert got.count("ok") == 1, got
    assert len(mine(home)) == 1


@needs_root
def test_threat_11_who_comes_first_does_not_bind(house):
    """Without keys, only what root does or an administrator assigned."""
    house.start()
    house.account("anna", uid=ANNA)
    token = Hotp(house, "A1")
    assert add(house, token, uid=ANNA)[0] == "licence-needed"
    assert ask(house, "mobile_add", ANNA)[0] == "licence-needed"
    assert ask(house, "token_assign", serial="A1")[0] == "ok"
    assert ask(house, "token_assign", serial="A1")[0] == "ok"  # said twice
    assert state(house, token) == "pending-activation"
    assert add(house, token, uid=ANNA)[0] == "ok"


@needs_root
def test_P6_a_second_factor_guards_the_others(held):
    """Locked or suspended by who has only the password, it guards still."""
    number = {"number": "+12025550177"}
    for change in (("token_revoke", {"id": "t1"}), ("mobile_add", {}), ("recovery_codes", {}),
                   ("phone_add", number)):
        assert ask(held, change[0], ANNA, **change[1])[0] == "elevate-first", change
    assert ask(held, "token_suspend", ANNA, id="t1")[0] == "ok"
    for change in (("token_revoke", {"id": "t1"}), ("mobile_add", {}), ("phone_add", number)):
        assert ask(held, change[0], ANNA, **change[1])[0] == "elevate-first", change


# ---- resync ----


def test_H4_threat_37_resync_takes_both_codes_for_one_charge(held):
    token = held.token
    n = token.at + 300
    # the first alone tells nothing
    assert ask(held, "token_resync", id="t1", code1=token.code(n), code2="000000")[0] == (
        "codes-wrong")
    verdict, reply = ask(held, "token_resync", id="t1", code1=token.code(n + 1),
                         code2=token.code(n + 3))
    assert (verdict, reply["tries_left"]) == ("codes-wrong", 3)
    good = {"code1": token.code(n), "code2": token.code(n + 1)}
    assert ask(held, "token_resync", id="t1", **good) == ("ok", {"state": "active", "tries_left": 0})
    # H5: both are burnt, and what was passed is gone
    assert ask(held, "token_resync", id="t1", **good)[0] == "codes-wrong"
    assert ask(held, "token_resync", id="", code1=token.code(n - 2), code2=token.code(n - 1))[0] == (
        "codes-wrong")
    assert ask(held, "token_resync", id="A100", code1=token.code(n + 2),
               code2=token.code(n + 3))[0] == "ok"


def test_H5_resync_looks_a_thousand_codes_ahead_and_no_further(held):
    token = held.token
    n = token.at
    assert ask(held, "token_resync", id="t1", code1=token.code(n + 1100),
               code2=token.code(n + 1101))[0] == "codes-wrong"
    assert ask(held, "token_resync", id="t1", code1=token.code(n + 990),
               code2=token.code(n + 991))[0] == "ok"


def test_H4_five_failed_resyncs_need_an_administrator(held):
    token = held.token
    got = [ask(held, "token_resync", id="t1", **token.wrong()) for _ in range(5)]
    assert [(v, r["tries_left"]) for v, r in got] == [
        ("codes-wrong", 4), ("codes-wrong", 3), ("codes-wrong", 2), ("codes-wrong", 1),
        ("token-out-of-sync", 0)]
    assert ask(held, "token_resync", id="t1", **token.pair())[0] == "token-out-of-sync"
    assert ask(held, "token_unlock", id="t1")[0] == "ok"
    assert ask(held, "token_resync", id="t1", **token.pair())[0] == "ok"


def test_H6_one_pair_at_many_doors_is_taken_once(held):
    pair = held.token.pair()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: ask(held, "token_resync", id="t1", **pair)[0], range(16)))
    assert got.count("ok") == 1, got
    assert set(got) <= {"ok", "codes-wrong", "token-out-of-sync"}


def login(house, code, ref=4):
    """One try at sshd; the verdict."""
    one = house.login("anna")
    if one.begin["decision"] != 1:
        return "decision %d" % one.begin["decision"]
    return one.verify(code, ref=ref)[0].verdict


def next_code(token):
    token.at += 1
    return token.code(token.at - 1)


def lock(house):
    got = []
    for _ in range(5):  # the pauses between wrong codes are another matter
        house.time_travel(60)
        got.append(login(house, house.token.code(70000 + len(got))))
    assert got == ["code-wrong"] * 4 + ["token-locked"]
    assert state(house, house.token) == "locked"


@needs_root
def test_H4_a_locked_token_is_resynced_in_the_session_and_elevates_nothing(held):
    assert login(held, next_code(held.token)) == "ok"
    lock(held)
    assert ask(held, "token_suspend", ANNA, id="t1")[0] == "not-allowed"
    assert ask(held, "token_resync", ANNA, id="t1", **held.token.pair())[0] == "ok"
    assert state(held, held.token) == "active"
    # the session is as strong as it was
    assert ask(held, "recovery_codes", ANNA)[0] == "elevate-first"
    held.time_travel(60)
    assert login(held, next_code(held.token)) == "ok"
    held.time_travel(60)
    # the count of wrong codes begins anew
    assert login(held, held.token.wrong()["code1"]) == "code-wrong"


def test_H4_an_administrator_unlocks(held):
    lock(held)
    assert ask(held, "token_unlock", id="t1")[1] == {"id": "A100", "state": "active"}
    held.time_travel(60)
    assert login(held, next_code(held.token)) == "ok"


def test_H6_codes_that_activated_do_not_log_in(home):
    token = home.token = Hotp(home, "A1")
    pair = token.pair()
    assert add(home, token, **pair)[0] == "ok"
    assert login(home, pair["code2"]) in ("code-used", "code-wrong")
    assert login(home, next_code(token)) == "ok"


@needs_root
def test_threat_02_an_administrator_does_not_forgive_the_own_guesses(house):
    house.start()
    house.account("anna", uid=ANNA, organisation="red")
    house.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    assert ask(house, "token_unlock", BOSS, user="boss")[0] == "not-allowed"
    assert ask(house, "token_unlock", BOSS)[0] == "ok"
    house.phone("boss")
    assert ask(house, "token_unlock", BOSS)[0] == "elevate-first"


# ---- suspend, resume, revoke ----


def test_explain_says_what_begin_does_with_a_token(house):
    """A token to repair is asked for; who has one at all is never "not enrolled"."""
    def decided():
        e = house.ok("explain", {"user": "anna", "service": "sshd"})
        begin = house.login("anna").begin
        assert e["decision"] == begin["decision"]
        return e["decision"], [(o["id"], o["reason"]) for o in e["offers"]]

    house.conf(**{"service sshd": {"unenrolled": "allow"}})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    house.token = Hotp(house, "A100")
    assert add(house, house.token)[0] == "ok"
    ask_, deny = 1, house.login("anna", service="sshd", level=3).begin["decision"]
    assert deny != ask_
    assert decided() == (ask_, [("t1", "")])
    lock(house)
    assert decided() == (ask_, [("t1", "token-locked")])
    assert ask(house, "token_suspend", id="t1", reason="lost")[0] == "ok"
    assert decided() == (deny, [("t1", "token-suspended-by-admin")])


@needs_root
def test_H7_suspended_by_the_user_and_taken_up_with_two_codes(held):
    token = held.token
    verdict, reply = ask(held, "token_suspend", ANNA, id="t1", reason="holiday")
    assert (verdict, reply["state"]) == ("ok", "suspended")
    assert 58 * DAY < reply["last_day"] - time.time() < 60 * DAY
    assert ask(held, "token_suspend", ANNA, id="t1")[0] == "not-allowed"
    assert ask(held, "token_resync", ANNA, id="t1", **token.pair())[0] == "token-suspended"
    assert ask(held, "token_resume", ANNA, id="t1")[0] == "codes-wrong"
    assert ask(held, "token_resume", ANNA, id="t1", **token.pair())[0] == "ok"
    assert state(held, token) == "active"
    assert "suspension" in mails(held)


@needs_root
def test_H7_suspended_by_an_administrator_only_an_administrator_resumes(held):
    token = held.token
    assert ask(held, "token_suspend", id="t1", reason="left")[0] == "ok"
    assert ask(held, "token_resume", ANNA, id="t1", **token.pair())[0] == (
        "token-suspended-by-admin")
    assert ask(held, "token_resume", id="t1")[0] == "ok"
    assert state(held, token) == "active"


def test_H8_revoked_is_for_good(held):
    verdict, reply = ask(held, "token_revoke", id="t1", reason="lost")
    assert (verdict, reply["id"], reply["sessions"]) == ("ok", "A100", 0)
    assert state(held, held.token) == "revoked"
    for name in ("token_resync", "token_resume", "token_suspend", "token_revoke"):
        assert ask(held, name, id="A100", **(
            held.token.pair() if name[6:9] == "res" else {}))[0] == "token-revoked", name
    assert sorted(mails(held)) == ["activation", "revocation"]


def test_H8_revoking_ends_the_sessions_that_rest_on_it(held):
    with sqlite3.connect("%s/db/otpcore.db" % held.dir) as db:
        db.row_factory = sqlite3.Row
        token = db.execute("SELECT id, account FROM token").fetchone()
        columns = {r["name"]: r for r in db.execute("PRAGMA table_info(session)")}
        boot = open("/proc/sys/kernel/random/boot_id").read().strip()
        for i, rests in enumerate((token["id"], token["id"], 0)):
            row = {name: ("" if c["type"] == "TEXT" else 0) for name, c in columns.items()}
            row.update(id=100 + i, version=1, boot=boot, host="h", sid=900 + i,
                       account=token["account"], token=rests, strength=5, level=2,
                       since=int(time.time()), expires_at=int(time.time()) + DAY)
            db.execute("INSERT INTO session (%s) VALUES (%s)" % (
                ",".join(row), ",".join("?" * len(row))), list(row.values()))
    assert ask(held, "token_revoke", id="t1")[1]["sessions"] == 2
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % held.dir, uri=True) as db:
        ended = [e > 0 for (e,) in db.execute("SELECT ended_at FROM session ORDER BY id")]
    assert ended == [True, True, False]


def test_unknown_ids_and_states_have_their_own_words(home):
    for name in ("token_resync", "token_resume", "token_suspend", "token_revoke"):
        assert ask(home, name, id="t1")[0] == "serial-unknown"
    token = Hotp(home, "A1")
    assert ask(home, "token_assign", serial="A1")[0] == "ok"
    assert ask(home, "token_resync", id="t1", **token.pair())[0] == "token-pending"
    assert ask(home, "mobile_confirm", code="123456")[0] == "no-code-pending"
    assert home.call("token_list", {"state": "lost"})[0].error == "INVAL"


# ---- licences ----


def key(house, product, **fields):
    return house.ok("licence_issue", {"product": product, "count": 1, **fields})["keys"][0]["key"]


def activate(house, code, uid=None):
    return ask(house, "activate", uid, key=code)


@pytest.fixture
def shop(house):
    house.conf(licences={"mode": "required"})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA)
    return house


def test_K1_products_of_tokens_and_apps(shop):
    token = Hotp(shop, "A1")
    assert add(shop, token)[0] == "licence-needed"
    assert shop.call("licence_issue", {"product": "gold", "count": 1})[0].error == "INVAL"
    expires = activate(shop, key(shop, "mobile"))[1]["expires"]
    assert ask(shop, "mobile_add")[0] == "ok"
    assert add(shop, token)[0] == "licence-needed"  # the app does not work yet
    both = activate(shop, key(shop, "mobile-hardware"))
    assert both[0] == "ok" and both[1]["expires"] >= expires
    assert add(shop, token)[0] == "ok"


def test_H10_an_added_token_ends_with_the_phone(shop):
    expires = activate(shop, key(shop, "phone-us", purchased=int(time.time()) - 100 * DAY))[1][
        "expires"]
    token = Hotp(shop, "A1")
    assert add(shop, token)[0] == "licence-needed"  # no phone yet
    shop.phone("anna")
    verdict, reply = add(shop, token)
    assert (verdict, reply["expires"]) == ("ok", expires)


def test_H10_an_added_phone_ends_with_the_token(shop):
    expires = activate(shop, key(shop, "hardware"))[1]["expires"]
    number = {"user": "anna", "number": shop.number()}
    assert shop.call("phone_add", number)[0].verdict == "licence-needed"
    assert add(shop, Hotp(shop, "A1"))[0] == "ok"
    number = shop.phone("anna")
    phone = shop.ok("phone_list", {"user": "anna"})["phones"][0]
    assert (phone["state"], phone["expires"]) == ("active", expires)


def test_K5_a_renewal_counts_from_the_original_expiry(shop):
    first = activate(shop, key(shop, "hardware"))[1]["expires"]
    token = Hotp(shop, "A1")
    assert add(shop, token)[0] == "ok"
    shop.time_travel(YEAR + 20 * DAY)  # 20 days late
    assert state(shop, token) == "expired"
    assert ask(shop, "token_resync", id="t1", **token.pair())[0] == "token-expired"
    verdict, _ = activate(shop, key(shop, "phone-us"))
    assert verdict in ("ok", "product-wrong")  # another sort of credential
    result, _ = shop.call("activate", {"user": "anna", "key": key(shop, "mobile-hardware")})
    assert result.verdict == "product-wrong" and result.detail
    verdict, reply = activate(shop, key(shop, "hardware"))
    assert verdict == "ok"
    assert 364 * DAY < reply["expires"] - first < 367 * DAY
    assert state(shop, token) == "active"
    assert ask(shop, "token_resync", id="t1", **token.pair())[0] == "ok"


def test_H9_an_administrator_renews_until_a_year_after(held):
    first = mine(held)["A100"]["expires"]
    held.time_travel(YEAR + 20 * DAY)
    verdict, reply = ask(held, "renew")
    assert (verdict, reply["product"]) == ("ok", "hardware")
    assert 364 * DAY < reply["expires"] - first < 367 * DAY
    assert state(held, held.token) == "active"
    assert "renewal" in mails(held)
    held.time_travel(2 * YEAR + 20 * DAY)
    assert ask(held, "renew")[0] == "not-allowed"


@needs_root
def test_K4_a_sponsorship_must_be_registered_in_time(shop):
    now = int(time.time())
    until = now + 10 * DAY
    verdict, reply = ask(shop, "sponsor", product="hardware", until=until)
    assert (verdict, reply["expires"]) == ("ok", until)
    assert ask(shop, "sponsor", product="hardware")[0] == "not-allowed"
    assert ask(shop, "sponsor", product="gold")[0] == "INVAL"
    token = Hotp(shop, "A1")
    # who has only the password does not take what a partner pays for
    assert add(shop, token, uid=ANNA)[0] == "licence-needed"
    assert ask(shop, "token_assign", serial="A1")[0] == "ok"
    shop.time_travel(11 * DAY)
    assert add(shop, token, uid=ANNA)[0] == "licence-needed"  # it lapsed
    assert ask(shop, "sponsor", product="hardware", until=until + 30 * DAY)[0] == "ok"
    verdict, reply = add(shop, token, uid=ANNA)
    assert verdict == "ok"
    # a year from the day it was granted
    assert 364 * DAY < reply["expires"] - (now + 11 * DAY) < 367 * DAY


@needs_root
def test_K4_a_sponsored_phone_is_an_administrators_to_begin(shop):
    assert ask(shop, "sponsor", product="phone-us")[0] == "ok"
    number = shop.number()
    assert ask(shop, "phone_add", ANNA, number=number)[0] == "licence-needed"
    assert ask(shop, "phone_add", number=number)[0] == "ok"
    assert ask(shop, "phone_verify", ANNA, ref=0, code=shop.code(number))[0] == "ok"


# ---- apps ----


def scan(uri):
    """What an app reads from the QR code."""
    parts = urllib.parse.urlsplit(uri)
    query = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
    return parts, query, base64.b32decode(query["secret"])


def test_M1_an_app_is_bound_by_one_code(home):
    verdict, reply = ask(home, "mobile_add", label="my phone")
    assert (verdict, reply["id"]) == ("ok", "m1")
    parts, query, seed = scan(reply["uri"])
    assert (parts.scheme, parts.netloc, len(seed)) == ("otpauth", "totp", 20)
    assert (query["algorithm"], query["digits"], query["period"]) == ("SHA1", "6", "30")
    assert urllib.parse.unquote(parts.path) == "/%s:anna" % query["issuer"]
    code = oath.totp(seed, time.time())
    assert ask(home, "mobile_confirm", code=oath.totp(seed, time.time() + 9000))[0] == "code-wrong"
    verdict, reply = ask(home, "mobile_confirm", code=code)
    assert (verdict, reply["id"]) == ("ok", "m1") and reply["expires"] > time.time()
    assert ask(home, "mobile_confirm", code=code)[0] == "no-code-pending"
    line, = mine(home).values()
    assert (line["kind"], line["state"], line["label"]) == ("mobile", "active", "my phone")
    assert ask(home, "mobile_add")[0] == "not-allowed"  # one per account
    assert ask(home, "token_revoke", id="m1")[0] == "ok"
    assert ask(home, "mobile_add")[0] == "ok"


def test_M1_what_was_not_confirmed_gets_a_new_seed(home):
    seeds = [scan(ask(home, "mobile_add")[1]["uri"])[2] for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert ask(home, "mobile_confirm", code=oath.totp(seeds[0], time.time()))[0] == "code-wrong"
    assert ask(home, "mobile_confirm", code=oath.totp(seeds[1], time.time()))[0] == "ok"
    assert len(mine(home)) == 1


def test_M1_the_address_is_percent_encoded(home):
    home.ok("account_set", {"user": "anna", "organisation": "Red & Blüe/100% ?"})
    uri = ask(home, "mobile_add")[1]["uri"]
    assert re.fullmatch(r"otpauth://totp/[A-Za-z0-9._~%:-]+\?[A-Za-z0-9._~%=&-]+", uri), uri
    assert scan(uri)[1]["issuer"] == "Red & Blüe/100% ?"


def test_M1_guessing_the_code_of_an_app_is_counted(home):
    uri = ask(home, "mobile_add")[1]["uri"]
    seed = scan(uri)[2]
    got = [ask(home, "mobile_confirm", code=oath.totp(seed, 90000 * n))[0] for n in range(1, 6)]
    assert got == ["code-wrong"] * 4 + ["activation-blocked"]
    assert ask(home, "mobile_confirm", code=oath.totp(seed, time.time()))[0] == "activation-blocked"


# ---- when everything is lost ----


def recovery_rows(house):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT kind, used_at, expires_at, reason FROM recovery").fetchall()


def test_recovery_codes_are_ten_and_new_ones_kill_the_old(held):
    first = [c["code"] for c in ask(held, "recovery_codes")[1]["codes"]]
    second = [c["code"] for c in ask(held, "recovery_codes")[1]["codes"]]
    assert len(set(first + second)) == 20
    assert all(re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}", c) for c in first + second)
    assert len(recovery_rows(held)) == 10
    # only hashes are kept
    data = b"".join(open("%s/db/%s" % (held.dir, f), "rb").read()
                    for f in ("otpcore.db", "otpcore.db-wal"))
    assert not any(c.encode() in data or c.replace("-", "").encode() in data
                   for c in first + second)


@needs_root
def test_recovery_codes_are_not_the_way_around_a_second_factor(home):
    assert ask(home, "recovery_codes", ANNA)[0] == "not-allowed"


def test_break_glass_has_a_reason_and_an_end(home):
    now = int(time.time())
    assert ask(home, "break_glass", until=now + DAY)[0] == "INVAL"
    assert ask(home, "break_glass", reason="x", until=now - 1)[0] == "INVAL"
    assert ask(home, "break_glass", reason="x", until=now + 2 * YEAR)[0] == "INVAL"
    verdict, reply = ask(home, "break_glass", reason="smsd is\ndown", until=now + DAY)
    assert verdict == "ok"
    (kind, used, expires, reason), = recovery_rows(home)
    assert (kind, used, expires, reason) == (2, 0, now + DAY, "smsd is?down")
    log = home.log()
    assert 'break_glass account=anna until=' in log and '"smsd is?down"' in log
    assert reply["code"] not in log


# ---- secrets ----


def test_threat_26_no_seed_is_readable_in_the_store(held):
    seed = held.token.row["secret"]
    data = b"".join(open("%s/db/%s" % (held.dir, f), "rb").read()
                    for f in ("otpcore.db", "otpcore.db-wal"))
    assert seed not in data and seed.hex().encode() not in data
    assert base64.b32encode(seed).rstrip(b"=") not in data
    # the seed of another row does not open in this one
    other = Hotp(held, "A2")
    held.account("bert")
    with sqlite3.connect("%s/db/otpcore.db" % held.dir) as db:
        db.execute("UPDATE token SET secret = (SELECT secret FROM token WHERE serial = 'A100') "
                   "WHERE serial = 'A2'")
    assert add(held, other, user="bert", code1=held.token.code(50),
               code2=held.token.code(51))[0] == "CRYPTO"


def test_O7_lists_name_the_factors(held):
    held.phone("anna")
    assert ask(held, "mobile_add")[0] == "ok"  # not confirmed: it does not count
    line, = held.ok("account_show", {"user": "anna"})["accounts"]
    assert (line["factors"], line["state"], line["level"]) == ("1 phone, 1 token", "active", 2)
    held.account("bert")
    lines = {a["name"]: a for a in held.ok("account_list", {})["accounts"]}
    assert lines["anna"]["factors"] == "1 phone, 1 token"
    assert (lines["bert"]["factors"], lines["bert"]["state"]) == ("", "pending")
    assert [a["name"] for a in held.ok("account_list", {"state": "pending"})["accounts"]] == ["bert"]
