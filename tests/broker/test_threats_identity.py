"""Threats to proofing, certificates, connected accounts and setting up at a login:
what somebody tries who wants to be more than was proven (security.md)."""

import glob
import os
import sqlite3
import time

import pytest

from authority import HARDWARE, SOFTWARE, Authority
from house import needs_root
from test_attack import cpu
from test_enroll import home as shop  # noqa: F401  (a fixture)
from test_enroll import enrolled, login as begin_enrolment, new_key
from test_proofing import AGENT, ask, issue, key
from test_proofing import agency, home, waiting  # noqa: F401  (fixtures)
from test_session import Session, logged_in  # noqa: F401  (a fixture)
from test_session_list import BOSS, names

ANNA, OTHER = 12001, 12021
SELF = {"first": "Ag", "last": "Ent", "country": "US", "email": "agent@example.org"}


def db(house, statement, *values):
    with sqlite3.connect("%s/db/otpcore.db" % house.dir, timeout=20) as c:
        return c.execute(statement, values).fetchall()


# ---- agents ----


@pytest.fixture
def double(agency):  # noqa: F811
    """The agent has a second account, which is the one with the phone."""
    agency.ok("account_set", {"user": "agent", **SELF})
    agency.account("ag", uid=OTHER, organisation="red", **SELF)
    assert key(agency, user="ag")[0] == "ok"
    agency.phone("ag")
    return agency


def connect(house, child, parent):
    house.ok("connect", {"user": child, "other": parent, "what": "ask"})
    house.ok("connect", {"user": parent, "other": child, "what": "accept"})


def own_other(house, uid=AGENT):
    return ask(house, "proofing_issue", uid, user="ag", method="webcam", name="Ag Ent")[0]


@needs_root
def test_threat_01_an_agent_is_not_the_agent_of_the_own_other_account(double):
    assert own_other(double) == "PERM"
    for message in ("proofing_reissue", "proofing_fail", "proofing_schedule"):
        assert ask(double, message, AGENT, user="ag")[0] == "PERM"
    assert double.call("proofing_show", {"user": "ag"}, uid=AGENT)[0].error == "PERM"


@needs_root
@pytest.mark.parametrize("child, parent", [("agent", "ag"), ("ag", "agent")])
def test_threat_01_nor_of_one_it_is_connected_with(agency, child, parent):  # noqa: F811
    agency.ok("account_set", {"user": "agent", **SELF})
    agency.account("ag", uid=OTHER, organisation="red", **SELF)
    assert key(agency, user=parent, proofing=0)[0] == "ok"
    agency.phone(parent)
    connect(agency, child, parent)
    # the names are another matter by now
    agency.ok("account_set", {"user": "ag", "last": "Other", "email": "other@example.org"})
    assert own_other(agency) == "PERM"


@needs_root
def test_threat_01_a_connected_agents_password_is_not_enough(agency):  # noqa: F811
    """The factor that the session must show is the parent's."""
    agency.ok("account_set", {"user": "agent", **SELF})
    agency.account("ag", uid=OTHER, organisation="red", **SELF)
    assert key(agency, user="ag", proofing=0)[0] == "ok"
    agency.phone("ag")
    connect(agency, "agent", "ag")
    assert issue(agency, AGENT)[0] == "elevate-first"


# ---- what was revoked between the proof and the session ----


@needs_root
def test_threat_14_a_login_does_not_outlive_its_phone(anna):
    """Proven, then the phone is taken off the account, then account and open."""
    anna.phone("anna")
    one, two = anna.login("anna"), anna.login("anna")
    for login in (one, two):
        login.send()
        assert login.verify(anna.code(anna.number_of["anna"]))[0].verdict == "ok"
    assert two.account()[0].verdict == "ok"
    anna.ok("phone_delete", {"user": "anna", "ref": 1})
    assert one.account()[0].verdict == "requirements-not-met"
    assert two.account()[0].verdict == "requirements-not-met"
    assert anna.ok("strength", {"txn": two.txn, "user": "anna", "service": "sshd",
                                "uid": ANNA})["strength"] == "password"
    assert [x.open()[1]["strength"] for x in (one, two)] == ["password"] * 2


# ---- certificates ----


@pytest.fixture
def authority(open_dir):
    os.mkdir(os.path.join(open_dir, "authority"))
    return Authority(os.path.join(open_dir, "authority"))


@pytest.fixture
def certified(house, authority):
    house.conf(**{"certificates": {"ca": authority.ca, "mloa-software": SOFTWARE,
                                   "mloa-hardware": HARDWARE},
                  "service *": {"require": "mloa-software"}})
    house.start()
    house.account("anna", uid=ANNA, organisation="red")
    house.certificate = authority.certificate("anna")
    house.ok("certificate_add", {"user": "anna", "pem": house.certificate,
                                 "class": "mloa-software"})
    return house


def by_key(house, authority, name="anna"):
    login = house.login("anna", proof=3, auth_info=authority.auth_info(name))
    assert login.begin["strength"] == "mloa-software", login.result
    return login


def worth(house, login):
    return house.call("strength", {"txn": login.txn, "user": "anna", "service": "sshd",
                                   "uid": ANNA})[1]["strength"]


@needs_root
def test_threat_14_a_login_does_not_outlive_its_certificate(certified, authority):
    one, two = by_key(certified, authority), by_key(certified, authority)
    assert worth(certified, two) == "mloa-software"
    assert two.account()[0].verdict == "ok"
    certified.ok("certificate_delete", {"user": "anna", "id": "c1"})
    assert one.account()[0].verdict == "requirements-not-met"
    assert worth(certified, two) == "password"
    assert [x.open()[1]["strength"] for x in (one, two)] == ["password"] * 2


@needs_root
def test_threat_14_nor_a_revocation_by_the_authority(certified, authority):
    login = by_key(certified, authority)
    certified.conf(certificates={"crl": authority.crl})
    authority.revoke("anna")
    certified.ok("reload")
    assert login.account()[0].verdict == "requirements-not-met"
    assert login.open()[1]["strength"] == "password"


@pytest.fixture
def session(certified):
    """anna's session, opened with the key of a certificate."""
    got = Session(certified, ANNA)
    yield got
    got.close()


@needs_root
def test_threat_13_a_session_does_not_outlive_its_certificate(certified, authority, session):
    assert session.open(by_key(certified, authority))[1]["recorded"] == 1
    assert session.status()["strength"] == "mloa-software"
    certified.conf(certificates={"crl": authority.crl})
    authority.revoke("anna")
    certified.ok("reload")
    assert (session.status()["strength"], session.status()["reason"]) == ("password", "ended")


@needs_root
def test_threat_13_nor_a_child_that_of_its_parent(certified, authority, session):
    same = {"first": "Anna", "last": "Carl", "email": "anna@example.org"}
    certified.ok("account_set", {"user": "anna", "has_uid": 1, "uid": OTHER, **same})
    certified.account("kid", uid=ANNA, organisation="red", **same)
    certified.phone("anna")
    connect(certified, "kid", "anna")
    # shown once: it is the parent's, not only named there
    assert by_key(certified, authority).open()[0].verdict == "ok"
    login = certified.login("kid", proof=3, auth_info=authority.auth_info("anna"))
    assert login.begin["strength"] == "mloa-software", login.result
    assert session.open(login)[1]["recorded"] == 1
    assert session.status("kid")["strength"] == "mloa-software"
    certified.ok("certificate_delete", {"user": "anna", "id": "c1"})
    assert session.status("kid")["strength"] == "password"


@needs_root
def test_C1_an_authority_that_is_trusted_no_more(certified, authority, open_dir):
    """What it has signed counts no more, though it is registered."""
    by_key(certified, authority)
    os.mkdir(os.path.join(open_dir, "fresh"))
    fresh = Authority(os.path.join(open_dir, "fresh"), "fresh")
    certified.conf(certificates={"ca": fresh.ca})
    certified.ok("reload")
    login = certified.login("anna", proof=3, auth_info=authority.auth_info("anna"))
    assert login.begin["strength"] == "" and login.result.verdict == "requirements-not-met"
    (row,) = certified.ok("certificate_list", {"user": "anna"})["certificates"]
    assert row["fault"] == "unknown authority"
    # and one with the same name is another one
    os.mkdir(os.path.join(open_dir, "twin"))
    twin = Authority(os.path.join(open_dir, "twin"))
    certified.conf(certificates={"ca": twin.ca})
    certified.ok("reload")
    assert not certified.login("anna", proof=3,
                               auth_info=authority.auth_info("anna")).begin["strength"]
    certified.conf(certificates={"ca": authority.ca})
    certified.ok("reload")
    by_key(certified, authority)


@needs_root
def test_threat_01_an_administrators_password_vouches_for_no_certificate(certified, authority):
    certified.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    certified.account("bert", uid=OTHER, organisation="red")
    pem = authority.certificate("bert")
    add = {"user": "bert", "pem": pem, "class": "mloa-hardware"}
    number = certified.phone("boss")
    assert certified.call("certificate_add", add, uid=BOSS)[0].verdict == "elevate-first"
    assert number and certified.call("certificate_add", add)[0].verdict == "ok"


# ---- the store ----


@needs_root
def test_threat_26_answers_that_are_kept_show_no_number(shop):  # noqa: F811
    one, number = begin_enrolment(shop), shop.number()
    assert one.key(new_key(shop))[0] == "ok"
    first = one.phone(number, check_only=1)
    assert first[1]["number"] == number
    assert db(shop, "SELECT count(*) FROM login WHERE length(answer) > 40") == [(1,)]
    for name in glob.glob(shop.dir + "/db/*"):
        with open(name, "rb") as f:
            assert number[2:-4].encode() not in f.read(), name
    # and the repeat still gets it
    assert one.phone(number, check_only=1, seq=one.seq) == first


def test_threat_30_a_kept_answer_is_of_its_login(anna):
    """Moved to another login's row it opens nothing."""
    one, two = anna.login("anna"), anna.login("anna")
    code = {}
    for login in (one, two):
        login.send()
        code[login] = anna.code()
    assert one.verify(code[two])[0].verdict == "ok"
    assert two.verify("00000000")[0].verdict != "ok"
    rows = dict(db(anna, "SELECT strength > 1, id FROM login"))
    db(anna, "UPDATE login SET answer = (SELECT answer FROM login WHERE id = ?), verdict = "
       "(SELECT verdict FROM login WHERE id = ?), version = version + 1 WHERE id = ?",
       rows[1], rows[1], rows[0])
    assert two.verify("00000000", seq=two.seq)[0].error == "STALE"


def plan(house, statement, *values):
    return " ".join(r[3] for r in db(house, "EXPLAIN QUERY PLAN " + statement, *values))


def test_threat_31_who_is_in_an_organisation_is_not_searched_for(anna):
    """terms_mine is everybody's: it must not read all accounts."""
    said = plan(anna, "SELECT organisation, count(*) FROM account WHERE organisation = 'red' "
                "GROUP BY organisation")
    assert "USING" in said and "SCAN account" not in said, said
    said = plan(anna, "SELECT organisation, count(*) FROM account WHERE organisation > 'red' "
                "GROUP BY organisation ORDER BY organisation LIMIT 1")
    assert "TEMP B-TREE" not in said and "USING" in said, said


def fill_sessions(house, n, account="anna", host="other"):
    with sqlite3.connect("%s/db/otpcore.db" % house.dir, timeout=20) as c:
        columns = [x[1] for x in c.execute("PRAGMA table_info(session)")]
        rest = ", ".join(x for x in columns if x not in ("id", "sid", "host"))
        c.executemany("INSERT INTO session (id, sid, host, %s) SELECT ?, ?, '%s', %s "
                      "FROM session WHERE host <> '%s' LIMIT 1" % (rest, host, rest, host),
                      [(i + 1, i + 1) for i in range(n)])


@needs_root
def test_threat_31_listing_sessions_holds_nobody_up(logged_in):  # noqa: F811
    """An administrator of few people does not make the broker read those of all others
    in one go: the page ends, and says where to go on."""
    logged_in.account("boss", uid=BOSS, organisation="blue", role="organisation-admin")
    s = logged_in.new_session()
    s.open(logged_in.new_login())
    fill_sessions(logged_in, 5000)
    reply = logged_in.call("session_list", {}, uid=BOSS)[1]
    assert not reply["sessions"] and reply["next"]
    pages = 0
    while reply["next"]:
        pages += 1
        reply = logged_in.call("session_list", {"cursor": reply["next"]}, uid=BOSS)[1]
        assert not reply["sessions"] and pages < 100
    assert pages > 2
    logged_in.ok("account_set", {"user": "anna", "organisation": "blue"})
    assert len(names(logged_in, uid=BOSS)) == 40


@needs_root
def test_threat_13_all_sessions_are_all(logged_in):  # noqa: F811
    s = logged_in.new_session()
    s.open(logged_in.new_login())
    fill_sessions(logged_in, 300)
    assert logged_in.ok("session_end", {"user": "anna", "all": 1})["ended"] == 301
    assert db(logged_in, "SELECT count(*) FROM session WHERE ended_at = 0") == [(0,)]


@needs_root
def test_C1_of_two_accounts_with_one_key_the_second_opens_without_it(certified, authority):
    """Both may have named the certificate; the key is the first one's that shows it. The
    other's login, which began before, is not broken by that: it has the password."""
    certified.account("bert", uid=OTHER)
    certified.ok("certificate_add", {"user": "bert", "pem": certified.certificate,
                                     "class": "mloa-software"})
    logins = [by_key(certified, authority),
              certified.login("bert", proof=3, auth_info=authority.auth_info("anna"))]
    assert logins[1].begin["strength"] == "mloa-software"
    assert logins[0].open()[1]["strength"] == "mloa-software"
    assert logins[1].account()[0].verdict == "requirements-not-met"
    result, reply = logins[1].open()
    assert (result.error, result.verdict, reply["strength"]) == ("", "ok", "password")


@needs_root
def test_threat_31_a_long_list_of_revocations_holds_nobody_up(certified, authority):
    """The lists of large authorities have a hundred thousand rows: no login reads them."""
    authority.revoke()  # makes the files
    with open(authority.file("index"), "w") as f:
        f.writelines("R\t301231000000Z\t260101000000Z\t%06X\tunknown\t/CN=x\n" % (0x100000 + i)
                     for i in range(60000))
    authority.revoke()
    certified.conf(certificates={"crl": authority.crl})
    certified.ok("reload")
    by_key(certified, authority)  # the first one sorts
    before = cpu(certified)
    for _ in range(60):
        by_key(certified, authority)
    assert cpu(certified) - before < 0.1
    authority.revoke("anna")
    certified.ok("reload")
    login = certified.login("anna", proof=3, auth_info=authority.auth_info("anna"))
    assert not login.begin["strength"]


@needs_root
def test_threat_23_a_list_that_nobody_trusted_signed_is_none(certified, authority, open_dir):
    """Lists are fetched over any network: one with the authority's name and an empty
    list takes no revocation back."""
    os.mkdir(os.path.join(open_dir, "twin"))
    twin = Authority(os.path.join(open_dir, "twin"))  # of the same name
    twin.revoke()
    authority.revoke("anna")
    certified.conf(certificates={"crl": authority.crl})
    certified.ok("reload")
    begin = {"proof": 3, "auth_info": authority.auth_info("anna")}
    assert not certified.login("anna", **begin).begin["strength"]
    os.replace(twin.crl, authority.crl)
    certified.call("reload")  # what was read before goes on
    assert not certified.login("anna", **begin).begin["strength"]
    certified.stop("broker")
    certified.start_broker()
    assert not certified.login("anna", **begin).begin["strength"]
    authority.revoke()
    certified.ok("reload")
    assert not certified.login("anna", **begin).begin["strength"]


def intermediate(authority, directory):
    """An authority of its own, certified by the other one."""
    os.mkdir(directory)
    between = Authority(directory, "between")
    between.openssl("req", "-new", "-key", between.file("between.key"), "-out",
                    between.file("csr"), "-subj", "/O=Trust/CN=between", "-config",
                    between.file("config"))
    between.openssl("x509", "-req", "-in", between.file("csr"), "-CA", authority.ca, "-CAkey",
                    authority.file("ca.key"), "-set_serial", "7", "-days", "300", "-out",
                    between.ca, "-extfile", between.file("config"), "-extensions", "chain")
    return between


@needs_root
def test_C1_lists_of_authorities_between(certified, authority, open_dir):
    """Whose certificate stands in the file, too; else their lists count for nothing."""
    between = intermediate(authority, os.path.join(open_dir, "between"))
    pem = between.certificate("anna")
    with open(between.ca, "rb") as f:
        chain = f.read()
    between.revoke()
    with open(between.crl, "rb") as f:
        theirs = f.read()
    authority.revoke()
    both = os.path.join(open_dir, "lists.pem")
    with open(authority.crl, "rb") as f, open(both, "wb") as out:
        out.write(f.read() + theirs + chain)
    os.chmod(both, 0o644)
    certified.conf(certificates={"crl": both})
    certified.ok("reload")
    certified.ok("certificate_add", {"user": "anna", "pem": pem + b"\n" + chain,
                                     "class": "mloa-software"})
    begin = {"proof": 3, "auth_info": between.auth_info("anna")}
    assert certified.login("anna", **begin).begin["strength"] == "mloa-software"
    with open(authority.crl, "rb") as f, open(both, "wb") as out:
        out.write(f.read() + theirs)
    certified.ok("reload")
    assert not certified.login("anna", **begin).begin["strength"]
