"""Setting up a first credential inside a login (rule O5): who may, what pays, and that
it goes on where it stopped."""

import base64
import concurrent.futures
import os
import re
import signal
import time

import pytest

import oath
from house import Login, needs_root, wrong

ANNA, BERT = 12001, 12002
ENROLL, ASK, DENY = 5, 1, 4
PHONE, TOKEN, APP = 1, 2, 4


class Enrolment(Login):
    """A login whose begin decided `enroll`."""

    def _say(self, name, seq=None, **fields):
        result, reply = self._call(name, seq, **fields)
        return result.error or result.verdict, reply

    def key(self, key, **more):
        return self._say("enroll_key", key=key, **more)

    def phone(self, number="", **more):
        return self._say("enroll_phone", number=number, **more)

    def code(self, code, **more):
        return self._say("enroll_verify", code=code, **more)

    def token(self, serial, code1="", code2="", **more):
        return self._say("enroll_token", serial=serial, code1=code1, code2=code2, **more)

    def app(self, code="", **more):
        return self._say("enroll_mobile", code=code, **more)


def login(house, user="anna", **fields):
    return Enrolment(house, user, fields.pop("service", "sshd"), **fields)


def new_key(house, product="phone-us", **fields):
    return house.ok("licence_issue", {"product": product, "count": 1, **fields})["keys"][0]["key"]


def keys(house):
    return {k["state"]: k["account"] for k in house.ok("licence_list", {})["licences"]}


@pytest.fixture
def home(house):
    house.conf(**{"licences": {"mode": "required"}, "service *": {"unenrolled": "enroll"}})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA, first="Anna", last="Doe")
    house.account("bert", uid=BERT)
    return house


class Button:
    """A token of the inventory, with a button."""

    def __init__(self, house, serial="A100"):
        self.row, self.at = oath.seed(serial), 0
        oath.stock(house, self.row)

    def pair(self):
        self.at += 2
        return [oath.hotp(self.row["secret"], n) for n in (self.at - 2, self.at - 1)]


def enrolled(house, key=None, user="anna"):
    """A login that has just been set up with a phone; its last answer."""
    one, number = login(house, user), house.number()
    assert one.key(key or new_key(house))[0] == "ok"
    assert one.phone(number)[0] == "ok"
    return one, one.code(house.code(number))


# ---- the way through ----

def test_O5_key_number_code_and_in(home):
    key, number = new_key(home), home.number()
    one = login(home)
    assert (one.begin["decision"], one.begin["takes"]) == (ENROLL, 0)
    verdict, said = one.key(key.lower())
    assert (verdict, said["label"], said["takes"]) == ("ok", "phone, US numbers", PHONE)
    verdict, said = one.phone(" ".join((number[:2], number[2:])), check_only=1)
    assert (verdict, said["number"], said["name"]) == ("ok", number, "Anna Doe")
    assert keys(home) == {"free": ""}  # it binds only when the code matches
    assert not home.messages(number)
    assert one.phone(number)[0] == "ok"
    verdict, said = one.code(home.code(number))
    assert (verdict, said["strength"], said["level"]) == ("ok", "phone-otp", 2)
    assert keys(home) == {"used": "anna"}
    result, account = one.account()
    assert (result.verdict, account["strength"]) == ("ok", "phone-otp")
    assert one.open()[0].verdict == "ok"
    # and from now on it is an ordinary login
    assert login(home).begin["decision"] == ASK


def test_O5_a_token(home):
    button, key = Button(home), new_key(home, "hardware")
    one = login(home)
    assert one.key(key)[1]["takes"] == TOKEN
    assert one.phone(home.number())[0] == "product-wrong"
    assert one.token("nothing")[0] == "serial-unknown"
    assert one.token("A100")[0] == "ok"
    first, second = button.pair()
    assert one.token("A100", second, first)[0] == "codes-wrong"
    verdict, said = one.token("A100", first, second)
    assert (verdict, said["strength"]) == ("ok", "hardware-otp")
    assert one.account()[0].verdict == "ok"


def seed_of(said):
    uri = said["uri"]
    uri = uri.decode() if isinstance(uri, bytes) else uri
    assert uri.startswith("otpauth://totp/") and "anna" in uri, uri
    secret = re.search(r"secret=([A-Z2-7]{32})&", uri)[1]
    return base64.b32decode(secret)


def now_code(house, seed):
    return oath.totp(seed, time.time() + house.offset)


def test_O5_M1_an_app(home):
    key = new_key(home, "mobile")
    one = login(home)
    assert one.app()[0] == "licence-needed"
    assert one.key(key)[1]["takes"] == APP
    assert one.phone(home.number())[0] == "product-wrong"
    assert one.app("123456")[0] == "no-code-pending"
    verdict, said = one.app(wants_qr=1)
    assert verdict == "ok" and 21 <= said["qr_width"] <= 90, said
    assert len(said["qr"]) == (said["qr_width"] ** 2 + 7) // 8
    bits = "".join("{:08b}".format(b) for b in said["qr"])
    for y, row in enumerate(("1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111")):
        assert bits[y * said["qr_width"]:][:7] == row, "a finder pattern, ISO 18004"
    seed = seed_of(said)
    assert keys(home) == {"free": ""}  # it binds only when the code matches
    code = now_code(home, seed)
    verdict, said = one.app(wrong(code))
    assert (verdict, said["tries_left"]) == ("code-wrong", 4)
    verdict, said = one.app(code)
    assert (verdict, said["strength"], said["level"]) == ("ok", "mobile-id", 2)
    assert keys(home) == {"used": "anna"}
    assert one.account()[0].verdict == "ok" and one.open()[0].verdict == "ok"
    two = login(home)
    assert two.begin["decision"] == ASK and two.begin["factors"][0]["kind"] == "mobile"
    assert two.verify(code, ref=0)[0].verdict == "code-used"  # H6


def test_O5_an_app_that_was_interrupted_goes_on_with_its_seed(home):
    one = login(home)
    one.key(new_key(home, "mobile-hardware"))
    said = one.app()[1]
    assert one.app(seq=one.seq)[1]["uri"] == said["uri"]  # its answer was lost
    home.stop("broker")
    home.start_broker()
    two = login(home)
    assert two.begin["takes"] == APP | TOKEN
    assert two.app()[1]["uri"] == said["uri"]
    assert two.app(now_code(home, seed_of(said)))[0] == "ok"


def test_threat_26_an_older_seed_is_never_shown_again(home):
    """One that a session asked for and nobody confirmed: a new one takes its place."""
    home.ok("activate", {"user": "anna", "key": new_key(home, "mobile")})
    early = seed_of(home.ok("mobile_add", {"user": "anna"}))
    home.time_travel(60)
    one = login(home)
    assert one.app()[0] == "licence-needed"  # the account's own licence needs its key typed
    one.key(new_key(home, "mobile"))
    late = seed_of(one.app()[1])
    assert early != late
    home.time_travel(60)
    two = login(home)
    assert seed_of(two.app()[1]) == late  # this one was shown to who set it up
    assert two.app(now_code(home, early))[0] == "code-wrong"
    assert two.app(now_code(home, late))[0] == "ok"


def test_H13_five_wrong_codes_of_an_app(home):
    one = login(home)
    one.key(new_key(home, "mobile"))
    seed = seed_of(one.app()[1])
    bad = wrong(now_code(home, seed))
    assert [one.app(bad)[0] for _ in range(5)] == ["code-wrong"] * 4 + ["activation-blocked"]
    assert one.app(now_code(home, seed))[0] == "activation-blocked"
    assert keys(home) == {"free": ""}


def test_threat_04_an_apps_code_from_64_clients_binds_once(home):
    key = new_key(home, "mobile")
    logins = [login(home) for _ in range(16)]
    for one in logins:
        one.key(key)
    seed = seed_of(logins[0].app()[1])
    code = now_code(home, seed)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = [v for v, _ in pool.map(lambda one: one.app(code), logins)]
    assert got.count("ok") == 1, got


def test_O5_O2_the_terms_come_before_the_key(home):
    """Nobody's key is used up for a service that does not let him in yet."""
    home.conf(**{"service portal": {"application": "portal", "unenrolled": "enroll"}})
    home.stop("broker")
    home.start_broker()
    home.ok("account_set", {"user": "anna", "organisation": "Toys"})
    one = login(home, service="portal")
    assert (one.begin["decision"], one.result.verdict) == (DENY, "terms-pending")
    assert login(home).begin["decision"] == ENROLL  # elsewhere
    home.ok("terms_accept", {"organisation": "Toys", "application": "portal", "edition": 1})
    assert login(home, service="portal").begin["decision"] == ENROLL


def test_O5_an_assigned_token_needs_no_key(house):
    house.conf(**{"service *": {"unenrolled": "enroll"}})
    house.start()
    house.account("anna", uid=ANNA)
    mine, other = Button(house), Button(house, "B200")
    house.ok("token_assign", {"serial": "A100", "user": "anna"})
    one = login(house)
    assert one.begin["takes"] == TOKEN
    assert one.token("B200", *other.pair())[0] == "serial-unknown"
    assert one.token("A100", *mine.pair())[0] == "ok"


def test_O5_interrupted_it_goes_on(home):
    one = login(home)
    assert one.key(new_key(home))[0] == "ok"
    one = login(home)  # cut off after the key
    assert (one.begin["takes"], one.begin["factors"]) == (PHONE, [])
    number = home.number()
    assert one.phone(number)[0] == "ok"
    home.stop("broker", signal.SIGKILL)
    home.start_broker()
    one = login(home)  # cut off after the number
    waits = one.begin["factors"][0]
    assert (waits["state"], waits["masked"]) == ("pending", number[-4:])
    # the code that was sent is good still
    assert one.code(home.code(number))[0] == "ok"


def test_threat_11_a_key_is_remembered_for_an_hour(home):
    key, number = new_key(home), home.number()
    one = login(home)
    one.key(key)
    one.phone(number)
    home.time_travel(3500)
    assert login(home).begin["takes"] == PHONE
    home.time_travel(101)
    one = login(home)
    assert (one.begin["takes"], one.begin["factors"]) == (0, [])
    assert one.code(home.code(number))[0] == "licence-needed"
    assert one.key(key)[0] == "ok"
    assert one.phone()[0] == "ok"
    assert one.code(home.code(number))[0] == "ok"


def test_O5_another_number_takes_the_place(home):
    one = login(home)
    one.key(new_key(home))
    numbers = [home.number() for _ in range(5)]
    for number in numbers:
        assert one.phone(number)[0] == "ok", number
    assert one.code(home.code(numbers[0]))[0] == "code-wrong"
    assert one.code(home.code(numbers[-1]))[0] == "ok"
    phones = home.ok("phone_list", {"user": "anna"})["phones"]
    assert [(p["number"], p["state"]) for p in phones] == [(numbers[-1], "active")]


def test_P8_a_number_that_the_key_does_not_pay(home):
    one = login(home)
    one.key(new_key(home))
    assert one.phone("+442071838750")[0] == "phone-region"
    assert one.phone("12")[0] == "phone-invalid"
    # a key for those numbers, typed at the next login, does not take the first's place
    one = login(home)
    assert one.key(new_key(home, "phone-intl"))[1]["takes"] == PHONE
    assert one.phone("+442071838750")[0] == "ok"


def test_K3_keys_that_are_none(home):
    one, key = login(home), new_key(home)
    groups = key.split("-")
    groups[2] = groups[2][:4] + ("0" if groups[2][4] != "0" else "1")
    verdict, said = one.key("-".join(groups))
    assert (verdict, said["group"]) == ("key-mistyped", 3)
    void = new_key(home)
    home.ok("licence_void", {"key": void})
    assert one.key(void)[0] == "key-unknown"
    assert enrolled(home, key, "bert")[1][0] == "ok"
    assert one.key(key)[0] == "key-used"
    assert one.phone(home.number())[0] == "licence-needed"
    assert login(home).begin["takes"] == 0


def test_K3_guessing_keys_is_throttled(home):
    one = login(home)
    void = new_key(home)
    home.ok("licence_void", {"key": void})
    seen = [one.key(void)[0] for _ in range(12)]
    assert seen == ["key-unknown"] * 10 + ["try-later"] * 2
    assert one.key(new_key(home))[0] == "try-later"


def test_P4_three_wrong_codes(home):
    one, number = login(home), home.number()
    one.key(new_key(home))
    one.phone(number)
    code = home.code(number)
    said = [one.code(wrong(code)) for _ in range(3)]
    assert [(v, a["tries_left"]) for v, a in said] == [
        ("code-wrong", 2), ("code-wrong", 1), ("tries-exceeded", 0)]
    assert one.code(code)[0] == "tries-exceeded"
    assert one.phone()[0] == "tries-exceeded"
    home.time_travel(60)
    one = login(home)  # and on it goes with another code
    assert one.phone()[0] == "ok"
    assert one.code(code)[0] == "code-wrong"
    assert one.code(home.code(number))[0] == "ok"


def test_H13_five_wrong_pairs(home):
    button = Button(home)
    one = login(home)
    one.key(new_key(home, "hardware"))
    seen = [one.token("A100", "000000", "000001")[0] for _ in range(5)]
    assert seen == ["codes-wrong"] * 4 + ["activation-blocked"]
    assert one.token("A100", *button.pair())[0] == "activation-blocked"


def test_threat_30_a_repeat_gets_its_first_answer(home):
    one, number = login(home), home.number()
    key = new_key(home)
    first = one.key(key)
    assert one.key(key, seq=one.seq) == first
    one.phone(number)
    assert one.phone(number, seq=one.seq)[0] == "ok"
    assert len(home.messages(number)) == 1
    code = home.code(number)
    wrong_once = one.code(wrong(code))
    assert one.code(wrong(code), seq=one.seq) == wrong_once
    right = one.code(code)
    assert right[0] == "ok" and one.code(code, seq=one.seq) == right
    assert one.code(code)[0] == "STALE"  # what is decided stays so


def test_O5_kept_but_not_enough_here(home):
    home.conf(**{"service vault": {"require": "hardware-otp"}})
    home.stop("broker")
    home.start_broker()
    one, number = login(home, service="vault"), home.number()
    one.key(new_key(home))
    one.phone(number)
    assert one.code(home.code(number))[0] == "requirements-not-met"
    assert one.account()[0].verdict == "requirements-not-met"
    assert login(home).begin["decision"] == ASK  # elsewhere it will do


def test_O5_a_phone_that_an_administrator_began(house):
    house.conf(**{"service *": {"unenrolled": "enroll"}})
    house.start()
    house.account("anna", uid=ANNA)
    number = house.number()
    house.ok("phone_add", {"user": "anna", "number": number})
    one = login(house)
    assert one.begin["takes"] == PHONE
    assert one.phone(house.number())[0] == "licence-needed"  # that one and no other
    assert one.code(house.code(number))[0] == "ok"


def sponsored(house, product="phone-us", user="anna", **fields):
    return house.ok("sponsor", {"user": user, "product": product, **fields})["key"]


def test_threat_11_a_sponsorship_needs_its_mailed_key(home):
    home.ok("account_set", {"user": "anna", "email": "anna@example.org"})
    key = sponsored(home)
    mail = home.last_message("anna@example.org")
    assert key in mail["text"] and "phone-us" in mail["subject"]
    one = login(home)
    assert one.begin["takes"] == 0  # the password alone takes nothing
    assert one.phone(home.number())[0] == "licence-needed"
    assert login(home, "bert").key(key)[0] == "key-used"  # it is anna's alone
    assert enrolled(home, key)[1][0] == "ok"
    shown = home.ok("licence_list", {})["licences"]
    assert [(k["order"], k["state"], k["account"]) for k in shown] == [("sponsor", "used", "anna")]


def test_K4_a_sponsorship_that_lapsed_is_worth_nothing(home):
    key = sponsored(home, until=int(home.ok("ping")["started_at"]) + 86400)
    one = login(home)
    assert one.key(key)[0] == "ok"
    home.time_travel(2 * 86400)
    one = login(home)
    assert one.begin["takes"] == 0
    assert one.key(key)[0] == "not-allowed"


def test_K4_a_sponsorships_key_in_a_session(home):
    key = sponsored(home)
    assert home.call("activate", {"user": "bert", "key": key})[0].verdict == "key-used"
    year = home.ok("activate", {"user": "anna", "key": key})["expires"]
    assert home.ok("activate", {"user": "anna", "key": key})["expires"] == year  # a repeat
    assert enrolled(home, key)[1][0] == "ok"  # and at a login it still says who one is


def test_threat_26_a_sponsorships_key_is_not_in_the_store(home):
    home.ok("account_set", {"user": "anna", "email": "anna@example.org"})
    key = sponsored(home).encode()
    home.stop("broker")
    for name in os.listdir(home.dir + "/db"):
        with open(os.path.join(home.dir, "db", name), "rb") as f:
            data = f.read()
        assert key not in data and key.replace(b"-", b"") not in data, name


# ---- who may not ----

def test_threat_11_a_password_binds_nothing(home):
    """Not a licence of the account's own either: its key has to be typed."""
    key = new_key(home)
    home.ok("activate", {"user": "anna", "key": key})
    home.ok("sponsor", {"user": "anna", "product": "hardware"})
    thief, button = login(home), Button(home)
    assert (thief.begin["decision"], thief.begin["takes"]) == (ENROLL, 0)
    assert thief.phone(home.number())[0] == "licence-needed"
    assert thief.phone(home.number(), check_only=1)[0] == "licence-needed"
    assert thief.code("123456")[0] == "licence-needed"
    assert thief.token("A100", *button.pair())[0] == "licence-needed"
    assert not home.messages()
    owner, number = login(home), home.number()
    assert owner.key(key)[0] == "ok"
    assert owner.phone(number)[0] == "ok"
    assert owner.code(home.code(number))[0] == "ok"


def test_threat_11_without_keys_a_password_binds_nothing(house):
    house.conf(**{"service *": {"unenrolled": "enroll"}})
    house.start()
    house.account("anna", uid=ANNA)
    thief, button = login(house), Button(house)
    assert thief.phone(house.number())[0] == "licence-needed"
    assert thief.token("A100", *button.pair())[0] == "licence-needed"


def test_threat_38_two_accounts_race_for_one_key(home):
    key = new_key(home)
    both = {user: (login(home, user), home.number()) for user in ("anna", "bert")}
    for one, number in both.values():
        assert one.key(key)[0] == "ok"
        assert one.phone(number)[0] == "ok"
    codes = {user: home.code(number) for user, (_, number) in both.items()}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        got = dict(zip(both, pool.map(lambda u: both[u][0].code(codes[u])[0], both)))
    assert sorted(got.values()) == ["key-used", "ok"], got
    loser = min(got, key=lambda u: got[u] == "ok")
    winner = max(got, key=lambda u: got[u] == "ok")
    assert keys(home) == {"used": winner}
    again = login(home, loser)
    assert again.begin["takes"] == 0
    # its number waits still: with a key of its own it goes on
    assert again.key(new_key(home))[0] == "ok"
    assert again.code(codes[loser])[0] == "ok"


@needs_root
def test_threat_09_a_verifier_cannot_enrol(home):
    home.conf(broker={"verifiers": "www-data:nginx"})
    home.stop("broker")
    home.start_broker()
    one = login(home, service="nginx", uid=33)
    assert one.begin["decision"] == ASK  # a made-up account
    for said in (one.key(new_key(home)), one.phone(home.number()), one.code("123456"),
                 one.token("A100")):
        assert said[0] == "PERM"


def test_O5_only_where_it_fits(home):
    def decision(**fields):
        return login(home, **fields).begin["decision"]

    assert decision() == ENROLL
    assert decision(proof=0) == DENY
    assert decision(mode="short") == ENROLL
    assert decision(mode="none") == DENY
    assert decision(service="elevate") != ENROLL
    assert decision(require="mloa-hardware") != ENROLL  # nothing set up here gives that
    assert login(home, mode="combined").begin["decision"] == ASK  # made up
    assert login(home, "nobody-here").begin["decision"] == ASK
    assert login(home, unenrolled="deny").begin["decision"] == ASK


def test_threat_12_a_recycled_name_is_not_enrolled(home):
    result, begin = home.call("begin", {"user": "anna", "service": "sshd", "uid": 4711,
                                        "proof": 1})
    assert begin["decision"] != ENROLL


def test_O5_its_ticket_is_for_nothing_else(home):
    one, number = login(home), home.number()
    one.key(new_key(home))
    one.phone(number)
    assert one.send()[0].error == "STALE"
    assert one.verify(home.code(number))[0].error == "STALE"
    assert one.skip()[0].verdict == "requirements-not-met"
    assert one.account()[0].verdict == "requirements-not-met"
    # nor an ordinary login's for this
    assert enrolled(home, user="bert")[1][0] == "ok"
    other = login(home, "bert")
    assert other.begin["decision"] == ASK
    assert other.key(new_key(home))[0] == "STALE"
    assert other.phone(home.number())[0] == "STALE"
    # and who is set up by now is not set up again
    late = login(home)
    assert one.code(home.code(number))[0] == "ok"
    assert late.phone(home.number())[0] == "STALE"


def test_O5_what_began_with_a_key_ends_with_one(house):
    """Where keys are not used, a session of the own must not finish what a key that
    is gone began."""
    house.conf(**{"service *": {"unenrolled": "enroll"}})
    house.start()
    for name, uid in (("anna", ANNA), ("bert", BERT)):
        house.account(name, uid=uid)
    key, number = new_key(house), house.number()
    thief = login(house)
    thief.key(key)
    thief.phone(number)
    enrolled(house, key, "bert")
    assert thief.code(house.code(number))[0] == "key-used"
    again = login(house)
    assert again.begin["takes"] == 0
    assert again.code(house.code(number))[0] == "key-used"


def test_I1_what_waits_for_proofing_is_kept_and_lets_nobody_in(home):
    """A key with identity proofing: set up here, good once the proofing is done."""
    one, (verdict, said) = enrolled(home, new_key(home, proofing=1))
    assert (verdict, said["strength"]) == ("proofing-pending", "")
    assert one.account()[0].verdict == "requirements-not-met"
    again = login(home)
    assert (again.begin["decision"], again.result.verdict) == (DENY, "proofing-pending")
    button = Button(home)
    two = login(home, "bert")
    assert two.key(new_key(home, "hardware", proofing=1))[0] == "ok"
    assert two.token("A100", *button.pair())[0] == "proofing-pending"
    again = login(home, "bert")
    assert (again.begin["decision"], again.result.verdict) == (DENY, "proofing-pending")
