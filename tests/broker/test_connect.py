"""Connected accounts (H11): the child logs in with what the parent holds, and only as
long as both sides want it."""

import concurrent.futures
import sqlite3
import time
from collections import Counter

import pytest

import oath
from house import needs_root, wrong
from test_session import PersonHouse, Session
from test_tokens import Hotp, scan

pytestmark = needs_root

ANNA, KID, BERT, BOSS = 12001, 12011, 12002, 12003
SAME = {"email": "Anna@example.org", "first": "Anna", "middle": "B", "last": "Carl"}
TOKEN, APP = 4, 5
TOTAL, PER_CREDENTIAL, RUN = 2, 3, 10


def verdict(answer):
    return answer[0].error or answer[0].verdict


def connect(house, user, other="", what="ask", uid=None, **fields):
    result, reply = house.call("connect", {"user": user, "other": other, "what": what, **fields},
                               uid=uid)
    return result.error or result.verdict, result.detail, reply


def join(house, child="anna-admin", parent="anna"):
    assert connect(house, child, parent)[0] == "ok"
    assert connect(house, parent, child, "accept")[0] == "ok"  # root: proven


def db(house, statement, *values):
    with sqlite3.connect("%s/db/otpcore.db" % house.dir, timeout=20) as c:
        return c.execute(statement, values).fetchall()


def count(house, kind, account):
    return db(house, "SELECT coalesce(sum(t.count), 0) FROM throttle AS t, account AS a "
              "WHERE t.kind = ? AND t.subject = a.id AND a.name = ?", kind, account)[0][0]


def row(house, name="anna-admin"):
    return db(house, "SELECT parent, parent_asked FROM account WHERE name = ?", name)[0]


def mails(house):
    return db(house, "SELECT a.name, m.args FROM mail AS m, account AS a "
              "WHERE a.id = m.account AND m.template = 'connected' ORDER BY a.name")


@pytest.fixture
def two(house):
    """anna with a phone, and her second account without anything; nobody waits."""
    house.conf(throttle={"delay": "0"}, broker={"verifiers": "www-data:nginx"})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA, **SAME)
    house.account("anna-admin", uid=KID, language="de", **{**SAME, "email": "anna@EXAMPLE.org"})
    house.number_of = house.phone("anna")
    house.sessions = []
    yield house
    for s in house.sessions:
        s.close()


@pytest.fixture
def family(two):
    join(two)
    return two


@pytest.fixture
def armed(family):
    """And anna has a token; family.token."""
    family.token = Hotp(family, "A100")
    result, reply = family.call("token_add", {"user": "anna", "serial": "A100",
                                              **family.token.pair()})
    assert result.verdict == "ok"
    return family


def next_code(token):
    token.at += 1
    return token.code(token.at - 1)


def session(house, uid=KID, loginuid=True):
    house.sessions.append(Session(house, uid if loginuid else None, uid))
    return house.sessions[-1]


def proven(house, user="anna-admin", ref=1):
    login = house.login(user)
    assert login.send(ref=ref)[0].verdict == "ok"
    assert login.verify(house.code(), ref=ref)[0].verdict == "ok"
    return login


def elevated(house, user, uid):
    """A process of the user with a grant; what it is asked for goes out with that."""
    s = session(house, uid, loginuid=False)
    login = s.login_elevate(user)
    assert login.begin["decision"] == 1, login.result
    login.send()
    assert login.verify(house.code())[0].verdict == "ok"
    return PersonHouse(s), login.txn


# ---- both sides ----


def test_H11_nothing_changes_until_the_parent_agrees(two):
    assert connect(two, "anna-admin", "anna", uid=KID)[:2] == ("ok", "")
    assert row(two) == ("", "anna")
    shown = connect(two, "anna-admin", what="", uid=KID)[2]
    assert (shown["parent"], shown["asked"], shown["children"]) == ("", "anna", [])
    assert connect(two, "anna", what="", uid=ANNA)[2]["children"] == [
        {"account": "anna-admin", "state": "asked"}]
    login = two.login("anna-admin")
    assert login.send()[0].verdict == "ok" and len(two.messages(two.number_of)) == 1  # made up
    # the password of the parent is not enough to agree, the child's word is none
    assert connect(two, "anna", "anna-admin", "accept", uid=ANNA)[0] == "elevate-first"
    assert connect(two, "anna-admin", "anna", "accept", uid=KID)[0] == "not-allowed"
    assert row(two) == ("", "anna")
    mine, grant = elevated(two, "anna", ANNA)
    assert connect(mine, "anna", "anna-admin", "accept", grant=grant)[0] == "ok"
    assert row(two) == ("anna", "")
    assert connect(two, "anna-admin", what="", uid=KID)[2]["parent"] == "anna"
    assert connect(two, "anna", what="", uid=ANNA)[2]["children"] == [
        {"account": "anna-admin", "state": "connected"}]
    told = [(name, args.split("\n")[1]) for name, args in mails(two)]
    assert sorted(told) == [(name, line) for name in ("anna", "anna-admin")
                            for line in ("asks=anna-admin", "joined=anna-admin")]


def test_H11_both_owners_read_what_happened(family):
    assert connect(family, "anna", "anna-admin", "end")[0] == "ok"
    for _ in range(300):
        texts = [m["text"] for m in family.messages() if m["channel"] == "email"]
        if len(texts) == 6:
            break
        time.sleep(0.05)
    said = ("The account anna-admin asks to log in with the credentials of anna.",
            "The account anna-admin now logs in with the credentials of anna.",
            "The account anna-admin no longer logs in with the credentials of anna.")
    for line in said:
        told = [t for t in texts if line in t]
        assert len(told) == 2, texts
        assert sum(other in t for t in told for other in said) == 2  # each says one thing
        assert [sum(f"Hello {name}," in t for t in told) for name in ("anna", "anna-admin")] \
            == [1, 1]


def test_H11_login_with_the_parents_phone(family):
    login = family.login("anna-admin", rhost="203.0.113.9")
    assert [f["masked"] for f in login.begin["factors"]] == [family.number_of[-4:]]
    assert login.begin["language"] == "de"
    assert login.send()[0].verdict == "ok"
    assert login.verify(family.code(family.number_of))[0].verdict == "ok"
    result, reply = login.account()
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    # the login is the child's, the code was the parent's
    assert db(family, "SELECT a.name FROM login AS l, account AS a WHERE a.id = l.account") == [
        ("anna-admin",)]
    assert db(family, "SELECT a.name FROM challenge AS c, account AS a WHERE a.id = c.account "
              "AND c.kind = 1") == [("anna",)]


def test_H11_login_with_the_parents_token_and_app(armed):
    result, reply = armed.login("anna-admin").verify(next_code(armed.token), ref=0)
    assert (result.verdict, reply["strength"]) == ("ok", "hardware-otp")
    seed = scan(armed.ok("mobile_add", {"user": "anna"})["uri"])[2]
    now = time.time()
    armed.ok("mobile_confirm", {"user": "anna", "code": oath.totp(seed, now)})
    armed.time_travel(60)
    result, reply = armed.login("anna-admin").verify(oath.totp(seed, now + 60), ref=APP)
    assert (result.verdict, reply["strength"]) == ("ok", "mobile-id")


def test_H11_recovery_codes_are_lent_break_glass_is_not(armed):
    codes = [c["code"] for c in armed.ok("recovery_codes", {"user": "anna"})["codes"]]
    until = int(time.time()) + 3600
    glass = {user: armed.ok("break_glass", {"user": user, "reason": "test", "until": until})["code"]
             for user in ("anna", "anna-admin")}
    assert verdict(armed.login("anna-admin").verify(codes[0], ref=0)) == "ok"
    assert verdict(armed.login("anna").verify(codes[0], ref=0)) == "code-wrong"  # used up
    assert verdict(armed.login("anna-admin").verify(glass["anna"], ref=0)) == "code-wrong"
    assert verdict(armed.login("anna").verify(glass["anna-admin"], ref=0)) == "code-wrong"
    assert verdict(armed.login("anna-admin").verify(glass["anna-admin"], ref=0)) == "ok"


def test_H11_status_shows_what_is_lent(armed):
    shown = armed.call("status", {"user": "anna-admin"}, uid=KID)[1]
    assert (shown["credentials_of"], [f["id"] for f in shown["factors"]]) == ("anna", ["p1", "t1"])
    assert armed.ok("status", {"user": "anna"})["credentials_of"] == ""
    assert armed.ok("account_show", {"user": "anna-admin"})["accounts"][0]["parent"] == "anna"
    told = armed.ok("explain", {"user": "anna-admin", "service": "sshd"})
    assert {o["id"] for o in told["offers"]} == {"t1", "p1"}


# ---- one person, one set of counters ----


def test_H4_five_wrong_ones_over_both_lock_the_token(armed):
    bad = armed.token.code(armed.token.at + 50000)
    got = [verdict(armed.login(user).verify(bad, ref=TOKEN))
           for user in ("anna-admin", "anna", "anna-admin", "anna-admin", "anna")]
    assert got == ["code-wrong"] * 4 + ["token-locked"]
    assert count(armed, TOTAL, "anna") == 5 and count(armed, TOTAL, "anna-admin") == 0
    assert verdict(armed.login("anna-admin").verify(next_code(armed.token), ref=TOKEN)) == \
        "token-locked"


def test_H11_guesses_at_the_phone_share_one_cap(family):
    """From one address a person with two accounts is guessed at no more than one."""
    family.conf(throttle={"delay": "0", "total_30d": "8"})
    family.stop("broker")
    family.start_broker()
    seen = []
    for user in ("anna-admin", "anna") * 3:
        login = family.login(user, rhost="203.0.113.7")
        if login.send()[0].verdict != "ok":
            seen.append("closed")
            continue
        bad = wrong(family.code(family.number_of))
        seen += [verdict(login.verify(bad)) for _ in range(2)]
    assert Counter(seen)["code-wrong"] == 4 and "code-wrong" not in seen[4:], seen
    assert count(family, TOTAL, "anna") == 4


def test_H6_a_code_is_used_once_over_both(armed):
    for first, second in (("anna", "anna-admin"), ("anna-admin", "anna")):
        code = next_code(armed.token)
        assert verdict(armed.login(first).verify(code, ref=TOKEN)) == "ok"
        assert verdict(armed.login(second).verify(code, ref=TOKEN)) == "code-used"


def test_H11_a_code_that_was_sent_for_one_is_none_for_the_other(family):
    child, parent = family.login("anna-admin"), family.login("anna")
    child.send()
    code = family.code(family.number_of)
    assert verdict(parent.verify(code)) == "no-code-pending"
    assert verdict(child.verify(code)) == "ok"


def test_H6_threat_04_one_code_is_accepted_once_of_64_over_both(armed):
    for _ in range(3):
        code = next_code(armed.token)
        logins = [armed.login(("anna", "anna-admin")[i % 2]) for i in range(64)]
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            got = Counter(verdict(a) for a in pool.map(lambda x: x.verify(code, ref=TOKEN), logins))
        assert got.pop("ok") == 1 and set(got) <= {"code-used", "token-locked"}, got


# ---- who may ----


def test_H11_a_stranger_learns_nothing_and_has_to_wait(two):
    two.account("bert", uid=BERT, **{**SAME, "last": "Other"})
    two.account("cleo", uid=BERT + 5, **{**SAME, "email": "cleo@example.org"})
    two.account("anna-x", uid=BERT + 6, **{**SAME, "middle": ""})
    answers = {connect(two, "anna-admin", name, uid=KID)[:2]
               for name in ("bert", "nobody-here", "cleo", "anna-x")}
    assert answers == {("not-allowed", "not connected: names and e-mail must be the same")}
    # itself, the last guess of this hour
    assert connect(two, "anna-admin", "anna-admin", uid=KID)[:2] in answers
    # now the right name gets no answer either, nor does the made-up one
    for name in ("anna", "nobody-here"):
        result, reply = two.call("connect", {"user": "anna-admin", "other": name, "what": "ask"},
                                 uid=KID)
        assert (result.verdict, result.detail) == ("try-later", "") and result.seconds > 0
    assert row(two) == ("", "")
    two.time_travel(3700)
    assert connect(two, "anna-admin", "anna", uid=KID)[0] == "ok"


def test_H11_accounts_without_names_or_address_are_nobodys(house):
    house.start()
    house.account("anna", uid=ANNA)
    house.account("anna-admin", uid=KID)
    assert connect(house, "anna-admin", "anna", uid=KID)[0] == "not-allowed"
    for name in ("anna", "anna-admin"):
        house.ok("account_set", {"user": name, "email": "anna@example.org"})
    assert connect(house, "anna-admin", "anna", uid=KID)[0] == "not-allowed"


def test_H11_who_holds_credentials_is_no_child(two):
    number = two.number()
    two.ok("phone_add", {"user": "anna-admin", "number": number, "channel": "sms"})  # pending
    got = connect(two, "anna-admin", "anna", uid=KID)
    assert got[:2] == ("not-allowed", "the account holds credentials of its own")
    two.ok("phone_delete", {"user": "anna-admin", "ref": 1})
    assert connect(two, "anna-admin", "anna", uid=KID)[0] == "ok"
    # and what came between asking and agreeing counts, too
    two.phone("anna-admin")
    assert connect(two, "anna", "anna-admin", "accept")[0] == "not-allowed"


def test_H11_no_chains_and_no_circles(family):
    family.account("anna-3", uid=BERT, **SAME)
    # a parent of a child
    assert connect(family, "anna-3", "anna-admin")[:2] == (
        "not-allowed", "that account is connected itself: take its parent")
    # a child of one who is a parent; the parent's parent
    db(family, "UPDATE phone SET account = (SELECT id FROM account WHERE name = 'anna-3')")
    assert connect(family, "anna", "anna-3")[:2] == (
        "not-allowed", "others log in with this account's credentials")
    assert connect(family, "anna", "anna-admin")[0] == "not-allowed"
    assert connect(family, "anna-admin", "anna-3")[0] == "not-allowed"  # has one
    assert connect(family, "anna-3", "anna-3")[0] == "not-allowed"


def test_H11_a_parent_who_is_a_child_lends_nothing(family):
    """Such rows are never written; if they are, nothing is lent on."""
    family.account("anna-3", uid=BERT, **SAME)
    db(family, "UPDATE account SET parent = 'anna-3' WHERE name = 'anna'")
    login = family.login("anna-admin")
    sent = len(family.messages(family.number_of))
    assert login.send()[0].verdict == "ok" and len(family.messages(family.number_of)) == sent
    db(family, "UPDATE account SET parent = 'anna-admin' WHERE name = 'anna'")  # a circle
    assert family.login("anna-admin").send()[0].verdict == "ok"
    assert len(family.messages(family.number_of)) == sent


def test_H11_phones_and_tokens_live_at_the_parent(family):
    spare = Hotp(family, "B200")
    asks = {
        "phone_list": {}, "phone_add": {"number": family.number()}, "phone_test": {"ref": 1},
        "phone_delete": {"ref": 1}, "token_mine": {}, "mobile_add": {}, "recovery_codes": {},
        "token_add": {"serial": "B200", **spare.pair()}, "token_revoke": {"id": "t1"},
        "token_suspend": {"id": "t1"},
    }
    for name, fields in asks.items():
        for uid, way in ((KID, "magotp connect --end"),
                         (None, "magotpctl account connect --end")):
            result, _ = family.call(name, {"user": "anna-admin", **fields}, uid=uid)
            assert result.verdict == "not-allowed" and "those of anna" in result.detail, name
            assert result.detail.endswith(way)
    result, _ = family.call("token_assign", {"user": "anna-admin", "serial": "B200"})
    assert result.verdict == "not-allowed" and "those of anna" in result.detail


# ---- while it lasts ----


def test_H11_ended_in_mid_login(family):
    before, sent = family.login("anna-admin"), family.login("anna-admin")
    sent.send()
    code = family.code(family.number_of)
    done = proven(family)
    assert connect(family, "anna-admin", what="end")[0] == "ok"
    assert before.send()[0].error == "STALE"
    assert sent.verify(code)[0].error == "STALE"
    assert done.account()[0].error == "STALE" and done.open()[0].error == "STALE"
    # and a login that began before it was connected does not get the parent's
    early = family.login("anna-admin")
    join(family)
    n = len(family.messages(family.number_of))
    early.send()
    assert len(family.messages(family.number_of)) == n


def test_H11_a_parent_who_is_locked_lends_nothing(family):
    login = family.login("anna-admin")
    db(family, "UPDATE account SET state = 3 WHERE name = 'anna'")
    assert login.send()[0].error == "STALE"
    n = len(family.messages(family.number_of))
    got = family.login("anna-admin")
    unknown = family.login("nobody-here")
    assert (got.result, got.begin["decision"]) == (unknown.result, unknown.begin["decision"])
    assert verdict(got.send()) == verdict(unknown.send())  # L10
    assert len(family.messages(family.number_of)) == n
    # it is not let in like somebody who never had a factor
    for policy in ("allow", "enroll"):
        login = family.login("anna-admin", unenrolled=policy)
        assert login.begin["decision"] == 1, policy
        assert login.account(unenrolled=policy)[1]["decision"] == 4
    # nor can the child get rid of it
    assert connect(family, "anna-admin", what="end", uid=KID)[0] == "not-allowed"
    db(family, "UPDATE account SET state = 2 WHERE name = 'anna'")
    assert verdict(proven(family).account()) == "ok"


def opened(house, s, login):
    assert login.account()[0].verdict == "ok"
    assert s.open(login)[1]["recorded"] == 1


def test_H11_H8_sessions_end_with_the_parents_token(armed):
    s, other = session(armed), session(armed)
    login = armed.login("anna-admin")
    assert login.verify(next_code(armed.token), ref=TOKEN)[0].verdict == "ok"
    opened(armed, s, login)
    opened(armed, other, proven(armed))
    assert s.status("anna-admin")["strength"] == "hardware-otp"
    armed.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert (s.status("anna-admin")["strength"], s.status("anna-admin")["reason"]) == (
        "password", "ended")
    assert other.status("anna-admin")["strength"] == "phone-otp"


def test_H11_sessions_end_with_the_parents_phone(family):
    second = family.phone("anna")
    s = session(family)
    login = family.login("anna-admin")
    login.send(ref=2)
    assert login.verify(family.code(second), ref=2)[0].verdict == "ok"
    opened(family, s, login)
    assert s.status("anna-admin")["strength"] == "phone-otp"
    family.ok("phone_delete", {"user": "anna", "ref": 2})
    assert s.status("anna-admin")["strength"] == "password"


@pytest.mark.parametrize("how", ["end", "account_connect", "delete", "locked"])
def test_H11_sessions_end_with_the_connection(family, how):
    s = session(family)
    opened(family, s, proven(family))
    assert s.status("anna-admin")["strength"] == "phone-otp"
    if how == "end":
        assert connect(family, "anna", "anna-admin", "end")[0] == "ok"
    elif how == "account_connect":
        family.ok("account_connect", {"user": "anna-admin", "end": 1})
    elif how == "delete":
        family.ok("account_delete", {"user": "anna"})
    else:
        db(family, "UPDATE account SET state = 3 WHERE name = 'anna'")
    assert (s.status("anna-admin")["strength"], s.status("anna-admin")["reason"]) == (
        "password", "ended")
    if how in ("end", "account_connect"):  # connected again: that session stays ended
        join(family)
        assert s.status("anna-admin")["strength"] == "password"
    if how == "delete":
        assert row(family) == ("", "")


def test_H11_P6_elevate_with_the_parents_phone(family):
    family.conf(**{"service portal": {"require": "password"}})
    family.stop("broker")
    family.start_broker()
    s = session(family)
    weak = family.login("anna-admin", "portal")
    assert weak.begin["decision"] == 2
    opened(family, s, weak)
    login = s.login_elevate("anna-admin")
    login.send()
    result, reply = login.verify(family.code(family.number_of))
    assert (result.verdict, reply["raised"]) == ("ok", 1)
    assert s.status("anna-admin")["strength"] == "phone-otp"
    assert connect(family, "anna", "anna-admin", "end")[0] == "ok"
    assert s.status("anna-admin")["strength"] == "password"


# ---- the end ----


def test_H11_the_password_alone_ends_nothing(family):
    """Else whoever has it would be rid of the second factor."""
    assert connect(family, "anna-admin", what="end", uid=KID)[0] == "elevate-first"
    assert connect(family, "anna", "anna-admin", "end", uid=ANNA)[0] == "elevate-first"
    assert connect(family, "bert", "anna-admin", "end", uid=BERT)[0] == "PERM"
    mine, grant = elevated(family, "anna-admin", KID)
    assert connect(mine, "anna-admin", what="end", grant=grant)[0] == "ok"
    assert row(family) == ("", "")
    assert connect(family, "anna-admin", what="end", uid=KID)[0] == "not-allowed"
    assert sum("left=anna-admin" in args for _, args in mails(family)) == 2
    # the grant rested on what was lent
    join(family)
    mine, grant = elevated(family, "anna-admin", KID)
    assert connect(family, "anna", "anna-admin", "end")[0] == "ok"
    family.phone("anna-admin")
    result, _ = mine.call("phone_channel", {"user": "anna-admin", "ref": 1, "channel": "voice",
                                            "grant": grant})
    assert result.verdict == "elevate-first"


def test_H11_what_was_asked_can_be_taken_back_or_declined(two):
    for who, other, uid in (("anna-admin", "", KID), ("anna", "anna-admin", ANNA)):
        assert connect(two, "anna-admin", "anna", uid=KID)[0] == "ok"
        assert connect(two, who, other, "end", uid=uid)[0] == "ok"
        assert row(two) == ("", "")
        assert connect(two, "anna", "anna-admin", "accept")[0] == "not-allowed"
    # asked, and the name is somebody else's by now
    assert connect(two, "anna-admin", "anna", uid=KID)[0] == "ok"
    two.ok("account_delete", {"user": "anna"})
    assert row(two) == ("", "")


def test_H11_administrators_connect_people_of_their_organisation(two):
    for name, uid, org, role in (("boss", BOSS, "red", "organisation-admin"),
                                 ("anna-red", BERT, "red", "user"),
                                 ("anna-red2", BERT + 7, "red", "user")):
        two.account(name, uid=uid, **SAME, organisation=org, role=role)

    def ask(child, parent, uid=BOSS, **fields):
        result, _ = two.call("account_connect", {"user": child, "parent": parent, **fields},
                             uid=uid)
        return result.error or result.verdict, result.detail

    strangers = ("not-allowed", "not connected: names and e-mail must be the same")
    assert ask("anna-red", "anna") == ask("anna-red", "nobody-here") == strangers
    assert ask("anna-red", "anna", uid=None) == strangers
    assert ask("anna-admin", "anna")[0] == "PERM"
    assert ask("anna-red", "")[0] == "INVAL"
    assert ask("anna-red", "anna-red2")[0] == "ok" and row(two, "anna-red") == ("anna-red2", "")
    assert ask("anna-red", "anna", end=1)[0] == "not-allowed"
    assert ask("anna-red", "", end=1)[0] == "ok" and row(two, "anna-red") == ("", "")
    # with a second factor of the own, it is asked for
    two.phone("boss")
    assert ask("anna-red", "anna-red2")[0] == "elevate-first"
    assert ask("anna-red", "anna-red2", uid=None)[0] == "ok"


def test_H11_an_administrator_who_is_a_child_has_the_parents_factor(family):
    """What an administrator may do after a second factor only is not had for a password."""
    for name in ("anna", "anna-admin"):
        family.ok("account_set", {"user": name, "organisation": "red"})
    family.ok("account_set", {"user": "anna-admin", "role": "organisation-admin"})
    family.account("kim", uid=BERT, organisation="red")
    assert verdict(family.call("token_unlock", {"user": "kim"}, uid=KID)) == "elevate-first"
    mine, grant = elevated(family, "anna-admin", KID)
    result, _ = mine.call("account_connect", {"user": "kim", "end": 1, "grant": grant})
    assert result.verdict == "not-allowed"  # past the factor: there is nothing to end


def test_H11_old_recovery_codes_do_not_come_back(two):
    """Of credentials that are gone, codes may be left over."""
    two.ok("recovery_codes", {"user": "anna-admin"})
    assert db(two, "SELECT count(*) FROM recovery")[0][0] == 10
    join(two)
    assert db(two, "SELECT count(*) FROM recovery")[0][0] == 0
