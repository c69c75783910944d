"""The calendar over years of fake time (H7, H9, P9; security.md 28), and the mails
that go with it. The clock goes in steps of five days, as a daemon that runs sees it:
a longer pause holds what cannot be undone."""

import datetime
import os
import re
import sqlite3
import threading
import time

import pytest

from house import Neighbour
from peers import OpenSmtpd, wait_for

DAY, YEAR = 86400, 365 * 86400
STEP = 5 * DAY
NOT_YET = 31 * DAY + 3600  # before an end: an hour before the day of the reminder begins
PRODUCT_HARDWARE = 3
ACTIVE, SUSPENDED, EXPIRED, REVOKED = 5, 7, 8, 9


def end_of_day(at):
    day = datetime.datetime.fromtimestamp(at).replace(hour=23, minute=59, second=59)
    return int(day.timestamp())


def day(at):
    return time.strftime("%Y-%m-%d", time.localtime(at))


class Years:
    """A house whose clock moves, and its store looked at from outside."""

    def __init__(self, house):
        self.house = house
        self.database = os.path.join(house.dir, "db", "otpcore.db")
        house.time_travel(0)
        house.start()

    @property
    def now(self):
        return int(time.time()) + self.house.offset

    def sql(self, text, *values):
        store = sqlite3.connect(self.database, timeout=10)
        try:
            rows = store.execute(text, values).fetchall()
            store.commit()
            return rows
        finally:
            store.close()

    def sweep(self, **fields):
        """All pages as one: (dues, done, held)."""
        dues, done, held, cursor = [], 0, 0, ""
        while True:
            page = self.house.ok("sweep", {"cursor": cursor, **fields})
            dues += page["dues"]
            done += page["done"]
            held += page["held"]
            cursor = page["next"]
            if not cursor:
                return dues, done, held

    def person(self, name, serial, expires=None):
        """An account with an address, a year and an active token."""
        self.house.account(name, email=name + "@example.org")
        account = self.sql("SELECT id FROM account WHERE name = ?", name)[0][0]
        subscription, token = account % 1000003 + 5, account % 1000003 + 6
        expires = expires or end_of_day(self.now + YEAR)
        self.sql("INSERT INTO subscription (id, version, account, product, state, level, licence,"
                 " started_at, purchased_at, expires_at) VALUES (?, 1, ?, ?, 1, 2, 0, ?, ?, ?)",
                 subscription, account, PRODUCT_HARDWARE, self.now, self.now, expires)
        self.sql("INSERT INTO token (id, version, kind, type, algorithm, digits, period, serial,"
                 " secret, moving, drift, account, subscription, state, state_since, suspended_by,"
                 " batch, organisation, label, created_at, last_used_at)"
                 " VALUES (?, 1, 1, 2, 1, 6, 30, ?, x'00', 0, 0, ?, ?, 5, ?, 0, 1, '', '', ?, 0)",
                 token, serial, account, subscription, self.now, self.now)
        return expires

    def suspend(self, serial):
        self.sql("UPDATE token SET state = 7, suspended_by = 1, state_since = ?,"
                 " version = version + 1 WHERE serial = ?", self.now, serial)
        return end_of_day(self.now + 59 * DAY)

    def state(self, serial):
        return self.sql("SELECT state FROM token WHERE serial = ?", serial)[0][0]

    def subscription(self, name):
        return self.sql("SELECT s.state, s.expires_at FROM subscription AS s, account AS a"
                        " WHERE s.account = a.id AND a.name = ?", name)[0]

    def mails(self, name=None):
        """What the store says was sent or waits: (template, once)."""
        return self.sql("SELECT template, once FROM mail AS m, account AS a WHERE m.account = a.id"
                        " AND (? IS NULL OR a.name = ?) ORDER BY m.created_at, m.id", name, name)

    def forward(self, seconds):
        self.house.time_travel(seconds)

    def until(self, at, step=STEP, settled=True):
        """To this second, with a sweep on the way as often as a daemon would."""
        while self.now < at:
            if settled:
                self.settled()
            self.forward(min(step, at - self.now))
            assert self.sweep()[2] == 0
        if settled:
            self.settled()

    def arrived(self, name):
        return [m for m in self.house.messages() if m["to"] == name + "@example.org"]

    def settled(self):
        """Every mail is with the mail server."""
        wait_for("the mails", lambda: not self.sql("SELECT id FROM mail WHERE state = 1"), 30)


@pytest.fixture
def years(house):
    # The mails look for smsd at once after a sweep.
    return Years(house)


def test_H9_a_year_notice_expiry_renewal_from_the_original_date(years):
    end = years.person("anna", "A-1001")
    years.until(end - NOT_YET)
    assert years.mails() == []
    years.until(end - 29 * DAY)
    assert [t for t, _ in years.mails()] == ["expiry-reminder"]
    years.until(end)
    years.until(end + 2)
    assert years.subscription("anna") == (2, end)
    assert years.state("A-1001") == EXPIRED
    assert [t for t, _ in years.mails()] == ["expiry-reminder", "expired"]
    years.until(end + 40 * DAY)
    reply = years.house.ok("renew", {"user": "anna"})
    again = datetime.datetime.fromtimestamp(end)
    again = int(again.replace(year=again.year + 1).timestamp())
    assert reply["expires"] == again and years.subscription("anna") == (1, again)
    assert years.state("A-1001") == ACTIVE
    years.until(again - NOT_YET)
    assert [t for t, _ in years.mails()] == ["expiry-reminder", "expired", "renewal"]
    years.until(again - 25 * DAY)
    assert [t for t, _ in years.mails()][3:] == ["expiry-reminder"]  # of the new year
    years.settled()
    got = years.arrived("anna")
    assert [m["subject"] for m in got][:2] == [
        "Your hardware subscription ends on " + day(end), "Your hardware subscription has ended"]
    assert day(end) in got[0]["text"] and "Hello anna," in got[0]["text"]
    assert not re.search(r"[{}]", "".join(m["text"] for m in got))


def test_H7_suspended_notices_30_15_3_and_revocation(years):
    years.person("bert", "B-1001")
    last = years.suspend("B-1001")
    years.until(last - NOT_YET, step=DAY)
    assert years.mails() == []
    years.until(last - 3600, step=DAY)
    assert [t for t, _ in years.mails()] == ["revocation-reminder"] * 3
    assert years.state("B-1001") == SUSPENDED
    years.until(last + 2, step=DAY)
    assert years.state("B-1001") == REVOKED
    assert [t for t, _ in years.mails()] == ["revocation-reminder"] * 3 + ["revocation"]
    years.until(last + 90 * DAY)
    years.settled()
    got = years.arrived("bert")
    assert len(got) == 4
    assert all(day(last) in m["subject"] for m in got[:3])
    late = ["too late" in m["text"] for m in got[:3]]
    assert late == [False, False, True]  # from day 55
    assert "suspended for too long" in got[3]["text"]


def test_H9_one_year_expired_is_revoked_after_three_notices(years):
    end = years.person("carl", "C-1001")
    years.until(end - STEP)
    years.until(end + YEAR - NOT_YET)
    assert [t for t, _ in years.mails()] == ["expiry-reminder", "expired"]
    years.until(end + YEAR + 3 * DAY, step=2 * DAY)
    assert years.state("C-1001") == REVOKED
    assert [t for t, _ in years.mails()] == ["expiry-reminder", "expired"] + \
        ["revocation-reminder"] * 3 + ["revocation"]
    years.settled()
    assert len(years.arrived("carl")) == 6


def test_each_notice_once_over_restarts_and_two_sweeps(years):
    end = years.person("dora", "D-1001")
    years.until(end - 20 * DAY)
    for _ in range(3):
        years.house.stop("broker")
        years.house.start_broker()
        years.sweep()
    assert len(years.mails("dora")) == 1
    years.settled()
    years.forward(3 * DAY)
    years.sweep()
    years.house.stop("broker")
    years.house.start_broker()
    assert len(years.arrived("dora")) == 1


def test_dry_run_lists_and_changes_nothing(years):
    end = years.person("emil", "E-1001")
    years.until(end - STEP)
    before = (years.mails(), years.subscription("emil"), years.state("E-1001"))
    years.forward(STEP + DAY)
    last = years.sql("SELECT value FROM meta WHERE name = 'last_sweep'")
    dues, done, held = years.sweep(dry_run=1)
    assert [(d["account"], d["what"], d["credential"], d["held"]) for d in dues] == [
        ("emil", "expire", "hardware", 0), ("emil", "expire", "token 1001", 0)]
    assert (done, held) == (0, 0)
    assert (years.mails(), years.subscription("emil"), years.state("E-1001")) == before
    assert years.sql("SELECT value FROM meta WHERE name = 'last_sweep'") == last
    assert years.sweep()[1] == 2


def test_threat_28_ten_years_ahead_and_back(years):
    """Nothing is revoked, nothing is mailed, and life goes on afterwards."""
    end = years.person("fred", "F-1001")
    last = years.suspend("F-1001")
    years.sweep()
    years.forward(10 * YEAR)
    dues, done, held = years.sweep()
    assert done == 0 and held == len(dues) and {d["what"] for d in dues} >= {"revoke"}
    years.house.stop("broker")
    years.house.start_broker()  # it sweeps at start, too
    wait_for("the sweep at start", lambda: "held back" in years.house.log())
    years.forward(-10 * YEAR)
    assert years.sweep()[1:] == (0, 0)
    assert years.mails() == [] and years.state("F-1001") == SUSPENDED
    assert years.subscription("fred") == (1, end)
    years.until(last - 29 * DAY)
    assert [t for t, _ in years.mails()] == ["revocation-reminder"]


def test_threat_28_a_long_pause_waits_for_confirm(years):
    years.person("gert", "G-1001")
    last = years.suspend("G-1001")
    years.sweep()
    years.forward(last - years.now + DAY)
    dues, done, held = years.sweep()
    assert (done, held) == (0, 1) and dues[0]["what"] == "revoke"
    assert years.state("G-1001") == SUSPENDED
    assert years.sweep(confirm=1)[1:] == (1, 0)
    assert years.state("G-1001") == REVOKED
    assert years.sweep()[1:] == (0, 0)


def test_threat_28_too_many_revocations_wait(years):
    for i in range(12):
        years.person("many%d" % i, "N-%d" % (2000 + i))
        last = years.suspend("N-%d" % (2000 + i))
    years.until(last - DAY)
    years.forward(2 * DAY)
    _, done, held = years.sweep()
    assert held == 12 and all(years.state("N-%d" % (2000 + i)) == SUSPENDED for i in range(12))
    assert years.sweep(confirm=1)[1] == 12


def test_sweep_is_roots_alone(years):
    result, _ = years.house.call("sweep", {}, uid=12001)
    assert result.error and result.verdict != "ok"
    assert years.sweep()[1:] == (0, 0)


def test_O4_kinds_that_are_switched_off(house):
    house.conf(mail={"enabled": "expiry revocation"})
    years = Years(house)
    end = years.person("hans", "H-1001")
    years.until(end + DAY)
    assert [t for t, _ in years.mails()] == ["expired"]


def without_smsd(years, name):
    """A reminder was tried once and found nobody."""
    end = years.person(name, name.upper() + "-1001")
    years.until(end - NOT_YET)
    assert years.mails() == []
    years.house.stop("smsd")
    years.forward(2 * DAY)
    years.sweep()
    wait_for("a try", lambda: years.sql("SELECT attempts FROM mail") == [(1,)])
    assert years.sql("SELECT state FROM mail") == [(1,)]


def test_mail_waits_for_smsd(years):
    without_smsd(years, "ines")
    years.house.start_smsd()
    years.forward(3600)
    years.settled()
    assert len(years.arrived("ines")) == 1


def test_mail_is_given_up_after_three_days(years):
    without_smsd(years, "ida")
    years.forward(4 * DAY)
    years.settled()
    assert years.sql("SELECT state FROM mail") == [(3,)]
    assert "given up: too many tries" in years.house.log()


def test_revocation_ends_sessions_of_the_token(years):
    years.person("jana", "J-1001")
    account, token = years.sql("SELECT account, id FROM token WHERE serial = 'J-1001'")[0]
    last = years.suspend("J-1001")
    years.until(last - DAY)
    years.sql("INSERT INTO session (id, version, boot, host, sid, loginuid, account, login,"
              " leader_pid, leader_start, service, rhost, tty, strength, level, phone, since,"
              " ended_at, expires_at, token) VALUES (77, 1, 'b', 'h', 9, 1, ?, 5, 1, 1, 'sshd',"
              " '', '', 5, 2, 0, ?, 0, ?, ?)", account, years.now, years.now + 9 * DAY, token)
    years.until(last + DAY)
    assert years.state("J-1001") == REVOKED
    assert years.sql("SELECT ended_at > 0 FROM session WHERE id = 77") == [(1,)]


def both_sweep(houses):
    """Every host at the same moment, to the end of what is due; errors of one that the
    other was in the way of are its own affair."""
    def sweep(house):
        gate.wait()
        cursor = ""
        for _ in range(50):
            result, page = house.call("sweep", {"cursor": cursor})
            if result.error:
                assert result.error in ("BUSY", "STALE"), result
                cursor = ""
                continue
            cursor = page["next"]
            if not cursor:
                break

    gate = threading.Barrier(len(houses))
    threads = [threading.Thread(target=sweep, args=(h,)) for h in houses]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def test_two_hosts_mail_each_notice_once(years, tmp_path):
    """Two brokers, one store: both find the same things due at the same moment."""
    people = ["n%d" % i for i in range(8)]
    for i, name in enumerate(people):
        end = years.person(name, "N-100%d" % i)
    with Neighbour(tmp_path, years.house, "web2") as other:
        other.start_broker()
        # 30 days before the end, the end, and the three reminders of a revocation
        while years.now < end + YEAR + STEP:
            years.forward(STEP)
            both_sweep([years.house, other])
            years.settled()
    kinds = ["expiry-reminder", "expired"] + 3 * ["revocation-reminder"] + ["revocation"]
    for i, name in enumerate(people):
        assert sorted(t for t, _ in years.mails(name)) == sorted(kinds), years.mails(name)
        assert len(years.arrived(name)) == len(kinds)
        assert years.state("N-100%d" % i) == REVOKED


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(OpenSmtpd.program),
                    reason="needs root and opensmtpd")
def test_each_mail_arrives_once_at_a_mail_server(house, open_dir):
    """From the calendar to the mailbox, through smsd and opensmtpd."""
    with OpenSmtpd(open_dir) as server:
        house.smsd_conf(**{"gateway outbox": {"channels": "sms voice"},
                           "gateway mail": {"driver": "smtp", "channels": "email", "tls": "none",
                                            "url": "smtp://127.0.0.1:%d" % server.port,
                                            "from": "otp@example.org"}})
        years = Years(house)
        years.person("kurt", "K-1001")
        last = years.suspend("K-1001")
        years.until(last + 9 * DAY, step=DAY)
        wait_for("the mailbox", lambda: len(server.mails()) >= 4, 20)
        subjects = sorted(m.split(b"Subject: ")[1].split(b"\r\n")[0].split(b"\n")[0]
                          for m in server.mails())
    assert subjects == sorted(3 * [b"Your token 1001 will be revoked after " + day(last).encode()]
                              + [b"Your token 1001 was revoked"])
