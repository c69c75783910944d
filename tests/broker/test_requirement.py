"""What lets in where: real logins over the cells of otpcore/engine/requirement.def, from
which docs/strengths.md is made."""

import os
import re
import time

import pytest

import oath
from authority import HARDWARE, SOFTWARE, Authority
from house import TOP, Login, needs_root
from test_proofing import NAME, code_for, enter, key
from test_tokens import Hotp, add, scan

pytestmark = needs_root

ASK, PASS, DENY = 1, 2, 4
WHERE = {"phone": 1, "token": 4, "app": 5}


def table():
    """{what was proven: {requirement: highest level}}"""
    with open(os.path.join(TOP, "otpcore/engine/requirement.def")) as f:
        text = f.read()
    needs = re.findall(r'^NEED\("([^"]+)"', text, re.M)
    rows = re.findall(r'^PROVEN\("([^"]+)", "[^"]+", \w+, \d, "([0-3 ]+)"\)$', text, re.M)
    assert len(needs) == 11 and len(rows) == text.count("\nPROVEN(")
    return {name: dict(zip(needs, map(int, cells.replace(" ", "")), strict=True))
            for name, cells in rows}


TABLE = table()
CELLS = [(need, level) for need in TABLE["password"] for level in (1, 2, 3)]


@pytest.fixture
def house(house, open_dir):
    os.mkdir(os.path.join(open_dir, "authority"))
    house.authority = Authority(os.path.join(open_dir, "authority"))
    house.conf(licences={"mode": "required"}, throttle={"delay": "0"},
               phone={"sends_per_hour": 100, "resend_wait": 0}, lifecycle={"on_revoke": "keep"},
               certificates={"ca": house.authority.ca, "mloa-software": SOFTWARE,
                             "mloa-hardware": HARDWARE},
               **{"profile core": {"require": "password"}, "profile sensitive": {"require": "bloa"},
                  "profile restricted": {"require": "mloa-software"},
                  "profile protected": {"require": "mloa-hardware"}})
    house.time_travel(0)
    house.start()
    return house


class Person:
    """An account with one factor, or none; prove() is the whole login but for account."""

    def __init__(self, house, kind):
        self.house, self.kind, self.name, self.uid = house, kind, "anna", 12001
        self.gives = {}  # of begin
        house.account(self.name, uid=self.uid, country="US", email="anna@example.org", **NAME)
        factor, _, proofed = kind.partition("-")
        if kind.startswith(("bloa", "mloa")):
            self.certificate(kind)
        elif factor in ("phone", "mobile", "hardware", "recovery"):
            product = {"phone": "phone-us", "recovery": "hardware"}.get(factor, factor)
            assert key(house, product, int(bool(proofed)))[0] == "ok"
            getattr(self, factor)()
            if proofed:
                assert enter(house, code_for(house))[0] == "ok"

    def certificate(self, kind):
        policy = HARDWARE if kind == "mloa-hardware" else SOFTWARE
        pem = self.house.authority.certificate("anna", policy=policy, email="anna@example.org")
        self.house.ok("certificate_add", {"user": self.name, "pem": pem, "class": kind})
        self.gives = {"proof": 3, "auth_info": self.house.authority.auth_info("anna")}
        self.code = lambda login: None

    def phone(self):
        number = self.house.phone(self.name)

        def code(login):
            login.send(ref=WHERE["phone"])
            return self.house.code(number), WHERE["phone"]
        self.code = code

    def hardware(self):
        token = self.token = Hotp(self.house, "A100")
        assert add(self.house, token)[0] == "ok"

        def code(login):
            token.at += 1
            return token.code(token.at - 1), WHERE["token"]
        self.code = code

    def mobile(self):
        seed = scan(self.house.ok("mobile_add", {"user": self.name})["uri"])[2]
        now = lambda: oath.totp(seed, time.time() + self.house.offset)
        self.house.ok("mobile_confirm", {"user": self.name, "code": now()})

        def code(login):
            self.house.time_travel(30)
            return now(), WHERE["app"]
        self.code = code

    def recovery(self):
        self.hardware()
        fresh = lambda: self.house.ok("recovery_codes", {"user": self.name})["codes"][0]["code"]
        self.code = lambda login: (fresh(), 0)

    def code(self, login):
        return "123456", WHERE["phone"]

    def prove(self, need, level):
        """Goes as far as it can; the login, with or without a ticket."""
        login = Login(self.house, self.name, "sshd", require=need, level=level, **self.gives)
        if login.begin["decision"] == ASK:
            what = self.code(login)
            if what:
                login.verify(what[0], ref=what[1])
        return login


def verdict(login, need, level):
    """Is it let in where this is required?"""
    if not login.txn:  # auth refused already
        return False
    result, reply = login.account(require=need, level=level)
    assert reply["decision"] in (PASS, DENY) and not result.error, result
    assert (result.verdict == "ok") == (reply["decision"] == PASS)
    return reply["decision"] == PASS


@pytest.mark.parametrize("kind", [k for k in TABLE if k != "revoked"])
def test_L7_L8_every_requirement_by_a_login_of_its_own(house, kind):
    """begin and account agree with the table, whatever was asked between them."""
    person = Person(house, kind)
    if kind == "nothing":
        person.gives = {"proof": 0}
    got = {(need, level): verdict(person.prove(need, level), need, level)
           for need, level in CELLS}
    assert got == {(need, level): TABLE[kind][need] >= level for need, level in CELLS}


STRONGEST = {"password": ("password", 1), "bloa": ("bloa", 2), "phone": ("phone-otp", 2),
             "phone-proofed": ("phone-otp", 3), "recovery": ("phone-otp", 2),
             "mobile": ("mobile-id", 2), "mobile-proofed": ("mobile-id", 3),
             "hardware": ("hardware-otp", 2), "hardware-proofed": ("hardware-otp", 3),
             "mloa-software": ("mloa-software", 3), "mloa-hardware": ("mloa-hardware", 3)}


@pytest.mark.parametrize("kind", STRONGEST)
def test_L7_L8_one_login_asked_for_every_requirement(house, kind):
    """account alone holds what auth did not ask for, and says the same when asked twice."""
    login = Person(house, kind).prove(*STRONGEST[kind])
    for _ in range(2):
        got = {cell: verdict(login, *cell) for cell in CELLS}
        assert got == {(need, level): TABLE[kind][need] >= level for need, level in CELLS}


REVOKE = {"phone": ("phone_delete", {"ref": 1}), "mobile": ("token_revoke", {"id": "m1"}),
          "hardware": ("token_revoke", {"id": "t1"}), "mloa-hardware": ("certificate_delete",
                                                                        {"id": "c1"})}


@pytest.mark.parametrize("kind", REVOKE)
def test_H8_revoked_between_auth_and_account(house, kind):
    """What was proven with something that is gone by now is worth the password."""
    person = Person(house, kind)
    login = person.prove(*STRONGEST[kind])
    assert verdict(login, *STRONGEST[kind])
    if kind == "phone":
        house.phone("anna")  # the last one cannot be deleted (P6)
    name, fields = REVOKE[kind]
    house.ok(name, {"user": "anna", **fields})
    got = {cell: verdict(login, *cell) for cell in CELLS}
    assert got == {(need, level): TABLE["revoked"][need] >= level for need, level in CELLS}
    result, reply = house.call("strength", {"txn": login.txn, "user": "anna", "service": "sshd",
                                            "uid": person.uid})
    assert (result.verdict, reply["strength"], reply["level"]) == ("ok", "password", 1)


@pytest.mark.parametrize("kind", [k for k in REVOKE if k != "phone"])
def test_H8_revoked_before_the_login(house, kind):
    person = Person(house, kind)
    name, fields = REVOKE[kind]
    house.ok(name, {"user": "anna", **fields})
    got = {cell: verdict(person.prove(*cell), *cell) for cell in CELLS}
    assert got == {(need, level): TABLE["revoked"][need] >= level for need, level in CELLS}
