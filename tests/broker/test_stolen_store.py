"""Who has the store's files has no secret, and cannot make one row's secret another's
(security.md 26): searched for in every spelling, and swapped in the file."""

import base64
import glob
import sqlite3
import time

import pytest

from peers import wait_for
from test_enroll import Enrolment
from test_tokens import ANNA, Hotp, add, ask

BERT = 12002


def spellings(secret):
    """The bytes as they are, in hex, base32 and base64; of a text also without its
    dashes and spaces, in either case."""
    raw = [secret] if isinstance(secret, bytes) else [
        s.encode() for s in {secret, secret.replace("-", "").replace(" ", "")}]
    for r in raw:
        yield r
        yield r.hex().encode()
        yield base64.b32encode(r).rstrip(b"=")
        # the last characters hold bits of what would follow
        yield base64.b64encode(r).rstrip(b"=")[:-1]


def found_in(files, secret):
    """Whatever of it is readable there, case aside."""
    return [(f, s) for f in files for s in spellings(secret)
            if s.lower() in open(f, "rb").read().lower()]


@pytest.fixture
def full(house):
    """anna and bert, with all that an account can have."""
    house.conf(phone={"code_digits": "8"})
    house.start()
    house.secrets = {}
    for name, uid in (("anna", ANNA), ("bert", BERT)):
        email = name + ".somebody@mail.example.org"
        house.account(name, uid=uid, email=email)
        house.secrets[name + "'s e-mail"] = email
        house.secrets[name + "'s number"] = house.phone(name)
        token = Hotp(house, "T-" + name)
        assert add(house, token, user=name)[0] == "ok"
        house.secrets[name + "'s seed"] = token.row["secret"]
        setattr(house, name, token)
    return house


def swap(house, table, column, where):
    """The column's values of two rows, each in the other's place."""
    with sqlite3.connect("%s/db/otpcore.db" % house.dir) as db:
        rows = db.execute("SELECT id, %s FROM %s WHERE %s" % (column, table, where)).fetchall()
        assert len(rows) == 2 and rows[0][1] != rows[1][1]
        for (row, _), (_, value) in zip(rows, reversed(rows)):
            db.execute("UPDATE %s SET %s = ?, version = version + 1 WHERE id = ?"
                       % (table, column), (value, row))


def tried(house):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT count(*) FROM mail WHERE attempts > 0 AND state != 2"
                          ).fetchone()[0]


def test_threat_26_a_stolen_file_shows_nothing(full):
    secrets = full.secrets
    reply = full.ok("licence_issue", {"product": "hardware", "count": 1})
    secrets["licence key"] = reply["keys"][0]["key"]
    for i, code in enumerate(full.ok("recovery_codes", {"user": "anna"})["codes"]):
        secrets["recovery code %d" % i] = code["code"]
    secrets["break-glass code"] = full.ok("break_glass", {
        "user": "bert", "until": int(time.time()) + 86400, "reason": "lost"})["code"]
    login = full.login("anna")
    login.send()
    secrets["code that was sent"] = full.code(secrets["anna's number"])
    files = glob.glob(full.dir + "/db/*")
    assert any(f.endswith("-wal") for f in files)
    # what is searched with finds what is there
    assert found_in(files, "T-anna")
    for what, secret in secrets.items():
        assert len(secret) >= 6 and not found_in(files, secret), what
        if what != "code that was sent":
            # of a number the log has what the store has: its last four digits
            assert not found_in(glob.glob(full.dir + "/*.log"), secret), "log: " + what
    # nor half a number
    for name in ("anna", "bert"):
        assert not found_in(files, secrets[name + "'s number"][2:-4])
    assert login.verify(secrets["code that was sent"])[0].verdict == "ok"


def test_threat_26_nor_what_makes_somebody_somebody(full):
    """Activation codes of the proofing, the keys of sponsorships, a key that was typed at
    a first login and has not bound yet, the number that was typed there."""
    secrets = {}
    full.conf(**{"service *": {"unenrolled": "enroll"}, "licences": {"mode": "required"}})
    full.ok("reload")
    for name in ("carl", "dora"):
        full.account(name, email=name + ".somebody@mail.example.org", first=name, last="Doe")
    issued = full.ok("licence_issue", {"product": "phone-us", "proofing": 1, "count": 1})
    full.ok("activate", {"user": "carl", "key": issued["keys"][0]["key"]})
    full.phone("carl")
    agent = {"user": "carl", "agent": "ag", "method": "webcam", "name": "carl doe"}
    secrets["activation code"] = full.ok("proofing_issue", agent)["code"]
    secrets["its successor"] = full.ok("proofing_reissue", {"user": "carl", "agent": "ag"})["code"]
    secrets["sponsor's key"] = full.ok("sponsor", {"user": "dora", "product": "hardware"})["key"]
    issued = full.ok("licence_issue", {"product": "phone-us", "count": 1})
    secrets["enrol key"], secrets["number"] = issued["keys"][0]["key"], full.number()
    login = Enrolment(full, "dora", "sshd")
    assert login.key(secrets["enrol key"])[0] == "ok"
    assert login.phone(secrets["number"])[0] == "ok"
    secrets["code to it"] = full.code(secrets["number"])
    wait_for("the mail with the key", lambda: any(
        secrets["sponsor's key"] in m["text"] for m in full.messages()))
    files, logs = glob.glob(full.dir + "/db/*"), glob.glob(full.dir + "/*.log")
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % full.dir, uri=True) as db:
        # they are there, as hashes
        assert db.execute("SELECT count(*) FROM proofing WHERE length(hash) = 32").fetchone()[0]
        assert db.execute("SELECT count(*) FROM account WHERE length(enrol_key) = 32"
                          ).fetchone()[0] == 1
    for what, secret in secrets.items():
        assert not found_in(files, secret), what
        assert what == "code to it" or not found_in(logs, secret), "log: " + what
    assert not found_in(files, secrets["number"][2:-4])
    assert full.ok("activate", {"user": "carl", "key": secrets["its successor"]})["proofed"] == 1
    assert login.code(secrets["code to it"])[0] == "ok"


def test_threat_26_swapped_seeds_log_nobody_in(full):
    swap(full, "token", "secret", "serial LIKE 'T-%'")
    for name, other in (("anna", full.bert), ("bert", full.anna)):
        token = getattr(full, name)
        for code in (token.code(token.at), other.code(other.at)):
            login = full.login(name)
            result, _ = login.verify(code, ref=4)
            assert (result.error, result.verdict) == ("CRYPTO", "undecided")
            assert login.account()[0].verdict == "requirements-not-met"
        # the phone is not concerned
        login = full.login(name)
        assert login.send()[0].verdict == "ok"
        assert login.verify(full.code(full.secrets[name + "'s number"]))[0].verdict == "ok"


def test_threat_26_swapped_numbers_get_no_code(full):
    def texts():
        return [m for m in full.messages() if m["channel"] == "sms"]

    swap(full, "phone", "number", "slot = 1")
    before = len(texts())
    for name in ("anna", "bert"):
        login = full.login(name)
        result, _ = login.send()
        assert result.verdict != "ok", result
        assert login.account()[0].verdict == "requirements-not-met"
        # and the token is not concerned
        token = getattr(full, name)
        token.at += 1
        assert full.login(name).verify(token.code(token.at - 1), ref=4)[0].verdict == "ok"
    assert len(texts()) == before


def test_threat_26_swapped_addresses_get_no_mail(full):
    def waiting():
        with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % full.dir, uri=True) as db:
            return db.execute("SELECT count(*) FROM mail WHERE state = 1").fetchone()[0]

    wait_for("the mails of the activations", lambda: not waiting())
    swap(full, "account", "email", "name IN ('anna', 'bert')")
    before = len(full.messages())
    assert ask(full, "token_suspend", id="t1")[0] == "ok"
    wait_for("a try to mail", lambda: tried(full))
    assert len(full.messages()) == before
