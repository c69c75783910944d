"""What security.md asks of the broker, shown on the running program."""

import concurrent.futures
import os
import pwd
import re
import signal
import socket as sockets
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

import wirepy
from house import needs_root  # noqa: E402
from house import House, Login, UID_UNKNOWN, wrong


def at_once(functions):
    """Start all at the same moment; results in order."""
    gate = threading.Barrier(len(functions))

    def run(f):
        gate.wait()
        return f()

    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return [f.result() for f in [pool.submit(run, f) for f in functions]]


def verdicts(answers):
    return [r.error or r.verdict for r, _ in answers]


def store(house):
    return sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True)


def counters(house, kind):
    with store(house) as db:
        return [c for (c,) in db.execute("SELECT count FROM throttle WHERE kind = ?", (kind,))]


LONG = os.environ.get("MAGOTP_LONG", "0") != "0"  # make check-long
ROUNDS = 200 if LONG else 20


def clear(house):
    for f in os.listdir(house.outbox):
        os.unlink(os.path.join(house.outbox, f))


def throttle_kind(name):
    with open(os.path.join(wirepy.TOP, "otpcore", "engine", "model.h")) as f:
        kinds = re.findall(r"^\tTHROTTLE_(\w+)", f.read(), re.M)
    return 1 + kinds.index(name)


CHAIN, ACCOUNT, CREDENTIAL, SOURCE_AT, STREAK, SOURCE = map(throttle_kind, (
    "CHAIN", "ACCOUNT", "CREDENTIAL", "ACCOUNT_SOURCE", "STREAK", "SOURCE"))


def test_threat_04_concurrent_replay(house):
    """64 clients, one code, 1,000 rounds: exactly one wins each."""
    house.smsd_conf(smsd={"budget_hour": 1000000, "budget_day": 1000000})
    house.start()
    for round in range(ROUNDS * 5 if LONG else ROUNDS):
        user = "user%d" % round
        house.account(user)
        number = house.phone(user)
        logins = [house.login(user) for _ in range(64)]
        logins[0].send()
        code = house.code(number)
        clear(house)
        got = raw_at_once(house, [verify_frame(l, code) for l in logins])
        assert got.count("ok") == 1, (round, got)
        assert set(got) <= {"ok", "code-used"}, (round, got)


def verify_frame(login, code):
    login.seq += 1
    return wirepy.encode_request("verify", {"txn": login.txn, "seq": login.seq, "ref": 1,
                                            "code": code})


def raw_at_once(house, frames):
    """All frames are in the sockets before the first answer is read: the broker
    sees them in as few ticks as it likes."""
    socks = []
    for f in frames:
        s = wirepy.connect(house.socket, 30)
        socks.append(s)
    for s, f in zip(socks, frames):
        s.send(f)
    out = []
    for s in socks:
        answer = s.recv(wirepy.FRAME_MAX)
        s.close()
        if len(answer) >= 16:
            result, _ = wirepy.decode_reply(
                wirepy.BY_ID[struct.unpack(">H", answer[2:4])[0]].name, answer)
            out.append(result.error or result.verdict)
        else:
            out.append("")
    return out


def test_threat_05_parallel_guessing_is_counted_before_it_is_judged(house):
    """64 wrong ones at once: at most the cap is evaluated, each of those is
    charged, and a bystander's right code is accepted meanwhile."""
    house.start()
    for name in ("anna", "bert"):
        house.account(name)
        house.phone(name)
    logins = [house.login("anna") for _ in range(64)]
    logins[0].send()
    code = house.code()
    bert = house.login("bert")
    bert.send()
    frames = [verify_frame(l, wrong(code)) for l in logins]
    frames.insert(40, verify_frame(bert, house.code()))
    got = raw_at_once(house, frames)
    assert got.pop(40) == "ok"
    evaluated = got.count("code-wrong") + 1
    assert evaluated == 3 and got.count("tries-exceeded") >= 1, got
    assert set(got) <= {"code-wrong", "tries-exceeded", "no-code-pending"}
    for kind in (CHAIN, ACCOUNT, CREDENTIAL, SOURCE_AT, STREAK):
        assert sorted(counters(house, kind))[-1] == 3, kind
    # The right code is dead now too.
    assert raw_at_once(house, [verify_frame(logins[5], code)]) != ["ok"]


@pytest.mark.parametrize("poison", ["store.claim:fail:3", "store.commit:fail:1",
                                    "store.settle:fail:2", "tick.decide:fail:20"])
def test_threat_29_poisoned_tick(house, poison):
    """One request of a tick fails: every evaluated guess is charged, bystanders
    get what is right."""
    house.start()
    for name in ("anna", "bert"):
        house.account(name)
        house.phone(name)
    logins = [house.login("anna") for _ in range(64)]
    logins[0].send()
    code = house.code()
    bert = house.login("bert")
    bert.send()
    bert_code = house.code()
    house.stop("broker")
    house.start_broker(fault=poison)
    frames = [verify_frame(l, wrong(code)) for l in logins]
    frames.insert(30, verify_frame(bert, bert_code))
    frames.insert(31, b"\0\1\0\3junk")
    got = raw_at_once(house, frames)
    assert got.pop(31) == "PROTO"
    bert_got = got.pop(30)
    told = got.count("code-wrong") + got.count("tries-exceeded") \
        if "tries-exceeded" not in got else got.count("code-wrong") + 1
    assert told <= 3 and got.count("ok") == 0, got
    assert max(counters(house, CHAIN), default=0) >= told
    assert max(counters(house, ACCOUNT), default=0) >= told
    # One request is lost and may be asked again. A commit that failed is a disk
    # that failed: nobody of that tick hears more than that.
    assert got.count("STORE") <= (64 if "commit" in poison else 1), got
    if bert_got != "ok":
        assert bert_got == "STORE"
        bert.seq += 0
        assert raw_at_once(house, [verify_frame(bert, bert_code)]) == ["ok"]


def test_threat_30_kill_between_commit_and_answer(house):
    """kill -9 after the commit, before the answer: the login asked again gets
    the first answer; nothing is charged twice, nothing is "used"."""
    house.start()
    for round in range(ROUNDS):
        user = "user%d" % round
        house.account(user)
        number = house.phone(user)
        house.stop_hard("broker")
        # begin and send are answered, verify is not.
        house.start_broker(fault="tick.answer:kill:%d" % 3)
        login = house.login(user)
        login.send()
        code = house.code(number)
        clear(house)
        with pytest.raises(ConnectionError):
            login.verify(code)
        assert house.processes["broker"].wait(10) == -signal.SIGKILL
        house.stop_hard("broker")
        house.start_broker()
        result, reply = login.verify(code, seq=2)
        assert (result.verdict, reply["strength"]) == ("ok", "phone-otp"), (round, result)
        assert login.account()[1]["decision"] == 2
    assert max(counters(house, ACCOUNT), default=0) == 0


def test_lost_answer_of_a_wrong_code_is_charged_once(house):
    house.start_smsd()
    house.start_broker()
    house.account("anna")
    house.phone("anna")
    house.stop("broker")
    house.start_broker(fault="tick.answer:kill:3")
    login = house.login("anna")
    login.send()
    code = house.code()
    with pytest.raises(ConnectionError):
        login.verify(wrong(code))
    house.stop_hard("broker")
    house.start_broker()
    result, reply = login.verify(wrong(code), seq=2)
    assert (result.verdict, reply["tries_left"]) == ("code-wrong", 2)
    assert max(counters(house, ACCOUNT)) == 1
    assert login.verify(code, seq=3)[0].verdict == "ok"
    # Success gives back what this login had charged.
    assert max(counters(house, ACCOUNT)) == 0 and max(counters(house, STREAK)) == 0


def test_threat_06_totals_of_thirty_days_stop_an_account(house):
    house.conf(throttle={"total_30d": "6", "delay_after": "100", "per_source": "1000"},
               phone={"resend_wait": "0s", "sends_per_hour": "100"})
    house.start()
    house.account("anna")
    house.phone("anna")
    seen = []
    for i in range(4):  # other services, other addresses: the account is one
        login = house.login("anna", service="s%d" % i, rhost="203.0.113.%d" % i)
        if login.send()[0].verdict != "ok":
            seen.append(login.send()[0].verdict)
            break
        code = house.code()
        for _ in range(3):
            seen.append(login.verify(wrong(code))[0].verdict)
    assert seen.count("code-wrong") + seen.count("tries-exceeded") == 6
    assert seen[-1] == "account-throttled"
    # L15: success elsewhere would not clear it, and nothing is sent any more.
    assert house.login("anna", service="s9").send()[0].verdict == "account-throttled"


def test_threat_07_one_source_does_not_use_up_the_owner(house):
    house.conf(throttle={"total_30d": "8", "delay_after": "100", "per_source": "1000"},
               phone={"resend_wait": "0s", "sends_per_hour": "100"})
    house.start()
    house.account("anna")
    house.phone("anna")
    seen = []
    for _ in range(4):
        login = house.login("anna", rhost="198.51.100.66")
        if login.send()[0].verdict != "ok":
            break
        code = house.code()
        seen += [login.verify(wrong(code))[0].verdict for _ in range(3)]
    assert seen.count("code-wrong") + seen.count("tries-exceeded") == 4
    owner = house.login("anna", rhost="203.0.113.5")
    assert owner.send()[0].verdict == "ok"
    assert owner.verify(house.code())[0].verdict == "ok"


def test_delay_after_failures_in_a_row(house):
    house.conf(phone={"tries": "10"})
    house.start()
    house.account("anna")
    house.phone("anna")
    login = house.login("anna", rhost="203.0.113.5")
    login.send()
    code = house.code()
    seen = [login.verify(wrong(code))[0] for _ in range(5)]
    assert [r.verdict for r in seen[:4]] == ["code-wrong"] * 4
    assert seen[4].verdict == "try-later" and seen[4].seconds >= 1
    # Another source is not held up.
    other = house.login("anna", rhost="203.0.113.6")
    other.send()
    assert other.verify(house.code())[0].verdict == "ok"


# ---- who may ask ----

ANNA, BERT, BOSS, STRANGER, AGENT = 12001, 12002, 12003, 12005, 12006
RED = ("anna", "agent")  # what boss administers
WEB = pwd.getpwnam("www-data").pw_uid


@pytest.fixture
def town(house):
    house.conf(broker={"verifiers": "www-data:nginx"})
    house.start()
    house.account("anna", uid=ANNA, organisation="red")
    house.account("bert", uid=BERT, organisation="blue")
    house.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    house.account("agent", uid=AGENT, organisation="red", role="proofing-agent")
    for name in ("anna", "bert"):
        house.phone(name)
    return house


LOGIN = {"begin", "send", "fate", "verify", "resync", "skip", "account", "open", "close"}


def about(name, user):
    """A request of this message that names the user; enough to pass the codec."""
    fields = {}
    for f in wirepy.MESSAGES[name].request:
        if f.type == "account":
            fields[f.name] = user
        elif f.type == "service":
            fields[f.name] = "sshd"
    return fields


def allowed(name, who, user):
    """The table of the .wire files, written down a second time."""
    authority = wirepy.MESSAGES[name].authority
    speaks = any(f.type == "account" for f in wirepy.MESSAGES[name].request)
    if name in ("host_enroll", "host_renew", "lease_terms", "lease_take", "lease_report"):
        return False  # on a link to a relay alone: not even root's here
    if who == 0 or name == "ping":
        return True
    if authority == "root":
        return False
    if authority == "agent":  # red's: nobody without a role, not the own account
        return who == AGENT and (not speaks or user == "anna")
    if authority == "admin":
        if who != BOSS:
            return False
        return not speaks or user in RED or (name == "account_add" and user.startswith("newcomer"))
    if name in ("send", "fate", "verify", "resync", "skip") or name.startswith("enroll_"):
        return False  # without a ticket nobody is anybody
    own = {ANNA: "anna", BERT: "bert", BOSS: "boss", AGENT: "agent"}.get(who) == user
    return own or (who == BOSS and user in RED and name not in LOGIN)


SERVED = [m for m in wirepy.MESSAGES.values() if m.id < 200]


@needs_root
@pytest.mark.parametrize("who", [0, ANNA, BERT, BOSS, AGENT, WEB, STRANGER])
def test_threat_01_every_message_as_everybody(town, who):
    for m in SERVED:
        if m.name == "account_delete" and who in (0, BOSS):
            continue  # would change the town
        for user in ("anna", "bert", "agent", "nobody-there"):
            if m.name == "account_add" and user == "nobody-there":
                user = "newcomer%d" % who
            result, _ = town.call(m.name, about(m.name, user), uid=who)
            if result.error == "UNSUPPORTED":
                continue  # in a .wire file, not served by this version: nobody's
            if allowed(m.name, who, user):
                assert result.error != "PERM", (m.name, who, user)
            else:
                assert result.error == "PERM", (m.name, who, user, result)


@needs_root
def test_threat_01_unknown_and_others_are_answered_alike(town):
    for name in ("status", "phone_list", "begin", "account"):
        answers = [town.call(name, about(name, u), uid=ANNA) for u in ("bert", "nobody-there")]
        assert answers[0] == answers[1] and answers[0][0].error == "PERM"


@needs_root
def test_threat_09_verifier_is_bound(town):
    """www-data speaks for nginx only; what it says of addresses exempts nobody,
    and it sees no digits."""
    town.conf(**{"service nginx": {"exempt_networks": "10.0.0.0/8"}})
    town.processes["broker"].send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert town.login("anna", service="sshd", uid=WEB).result.error == "PERM"
    login = town.login("anna", service="nginx", uid=WEB, rhost="10.1.1.1")
    assert login.begin["decision"] == 1
    assert [f["masked"] for f in login.begin["factors"]] == [""]
    result, reply = login.send()
    assert (result.verdict, reply["masked"]) == ("ok", "")
    # Its failures bind itself only.
    code = town.code()
    assert login.verify(wrong(code))[0].verdict == "code-wrong"
    assert not any(counters(town, ACCOUNT) + counters(town, CREDENTIAL))
    assert max(counters(town, SOURCE_AT)) == 1
    assert login.verify(code)[0].verdict == "ok"
    # The ticket of another peer is nobody's.
    login.uid = STRANGER
    assert login.account()[0].error == "PERM"
    login.uid = 0
    assert login.account()[0].error == "STALE"
    # Unknown names look like known ones.
    ghost = town.login("nobody-there", service="nginx", uid=WEB)
    assert ghost.begin["decision"] == 1 and [f["masked"] for f in ghost.begin["factors"]][0] == ""


@needs_root
def test_threat_12_recycled_uid_is_refused(town):
    result, reply = town.call("begin", {"user": "anna", "service": "sshd", "proof": 1,
                                        "uid": STRANGER})
    assert reply["decision"] == 1  # a made-up choice, as for nobody
    login = Login(town, "anna", "sshd", **{"uid": None})
    login.txn = reply["txn"]
    before = len(town.messages())
    login.send()
    assert len(town.messages()) == before
    result, reply = town.call("account", {"user": "anna", "service": "sshd", "uid": STRANGER})
    assert result.verdict == "account-mismatch"


# ---- who is there, and who is not ----


def transcript(house, user, frames):
    """Everything a person could see, but for what is random: digits, tickets."""
    login = house.login(user, rhost="203.0.113.9")
    seen = []
    for name, fields in frames:
        if name == "begin":
            result, reply = login.result, dict(login.begin)
            reply.pop("txn")
            # Used before or not: made-up phones differ in it, as real ones do.
            reply["notices"] = [n for n in reply["notices"] if n["id"] != "carrier-charge"]
        else:
            result, reply = login._call(name, None, **fields)
            reply = dict(reply)
        for f in reply.get("factors", []):
            f["masked"] = len(f["masked"])
        if "masked" in reply:
            reply["masked"] = len(reply["masked"])
        for f in ("seconds_left", "resend_after"):  # the clock goes on meanwhile
            if f in reply:
                reply[f] = reply[f] > 0
        seen.append((name, result._replace(seconds=result.seconds > 0), reply))
    return seen


CONVERSATION = [("begin", {}), ("send", {"ref": 1}), ("verify", {"ref": 1, "code": "1234567"}),
                ("send", {"ref": 1, "again": 1}), ("send", {"ref": 7}),
                ("send", {"ref": 1, "channel": "voice"}),
                ("verify", {"ref": 0, "code": "7654321"}), ("skip", {}),
                ("verify", {"ref": 1, "code": "1111111"}), ("send", {"ref": 1}),
                ("verify", {"ref": 1, "code": "1111111"})]


@pytest.mark.parametrize("smsd", [True, False])
def test_threat_19_L10_same_transcript_for_everybody(house, smsd):
    """Codes of 7 digits are always wrong. Known with one phone, unknown, without
    a phone, locked out by name: one transcript."""
    house.start()
    house.account("anna", uid=ANNA)
    house.phone("anna")
    house.call("begin", {"user": "anna", "service": "sshd", "proof": 1, "uid": UID_UNKNOWN})
    # A first login, so that nothing is special about the first message.
    login = house.login("anna", service="su")
    login.send()
    login.verify(house.code())
    if not smsd:
        house.stop("smsd")
        house.login("anna", service="warm-up").send()
    # Made-up accounts have one phone or two, new or used: one like anna's.
    like_anna = lambda u: (lambda b: len(b["factors"]) == 1 and not b["notices"])(
        house.login(u).begin)
    ghost = next(u for u in ("ghost%d" % i for i in range(100)) if like_anna(u))
    real = transcript(house, "anna", CONVERSATION)
    count = len(house.messages())
    for mine, theirs in zip(transcript(house, ghost, CONVERSATION), real):
        assert mine == theirs
    # An account without a phone is made up as well.
    bare = next(u for u in ("bare%d" % i for i in range(100)) if like_anna(u))
    house.account(bare, uid=BERT)
    assert transcript(house, bare, CONVERSATION) == real
    assert len(house.messages()) == count  # nothing was sent for them
    rows = [n for n in (r[1] for r in real)]
    assert [r.verdict for r in rows][-1] == "tries-exceeded"


def test_L10_made_up_phones_are_stable(house):
    house.start()
    seen = {str(house.login("ghost", rhost=r).begin["factors"])
            for r in ("203.0.113.1", "203.0.113.2", "")}
    assert len(seen) == 1
    assert house.login("ghost2").begin["factors"] != house.login("ghost").begin["factors"]
    house.stop("broker")
    house.start_broker()
    assert str(house.login("ghost").begin["factors"]) in seen


def test_unknown_users_make_no_rows_but_commit(house):
    house.start()
    login = house.login("ghost")
    login.send()
    login.verify("1234567")
    with store(house) as db:
        for table in ("account", "challenge", "login", "phone"):
            assert db.execute("SELECT count(*) FROM " + table).fetchone() == (0,)
        kinds = {k for (k,) in db.execute("SELECT DISTINCT kind FROM throttle")}
    assert kinds == {throttle_kind("DECOY")}


# ---- garbage and floods ----


def test_threat_32_garbage_is_answered_and_survived(anna):
    frames = [b"\0", b"\0\1", b"\0\1\0\1", b"\0\2\0\1", b"\xff" * 5000, b"\0\1\3\xe7",
              wirepy.encode_request("begin", {"user": b"\xff\xfe", "service": "sshd"}),
              wirepy.encode_request("begin", {"user": "a\0b", "service": "sshd"}),
              wirepy.encode_request("ping") + b"x"]
    errors = []
    for f in frames:
        answer = wirepy.raw(anna.socket, f)
        errors.append(struct.unpack(">I", answer[4:8])[0] if answer else None)
    assert errors[3] == 8  # other version
    assert all(e in (7, 8) for e in errors), errors
    assert anna.call("ping")[0].verdict == "ok"


def test_random_requests_change_nothing_of_the_process(anna):
    import random
    rng = random.Random(7)
    pid = anna.processes["broker"].pid
    for i in range(1500):
        m = rng.choice(SERVED)
        if m.name == "account_delete":
            continue
        frame = bytearray(wirepy.encode_request(m.name, wirepy.random_fields(m.request, rng, 0.3)))
        if i % 3 == 0 and len(frame) > 4:
            frame[rng.randrange(4, len(frame))] ^= 1 << rng.randrange(8)
        wirepy.raw(anna.socket, bytes(frame))
    assert anna.processes["broker"].poll() is None and anna.processes["broker"].pid == pid


def test_passed_descriptors_are_discarded(anna):
    fds = lambda: len(os.listdir("/proc/%d/fd" % anna.processes["broker"].pid))
    anna.call("ping")
    time.sleep(0.1)
    before = fds()
    with open("/dev/null") as null:
        for _ in range(20):
            assert wirepy.raw(anna.socket, wirepy.encode_request("ping"),
                              descriptors=[null.fileno()])
    for _ in range(100):  # the last ones are being closed
        if fds() == before:
            break
        time.sleep(0.02)
    assert fds() == before


@needs_root
def test_threat_31_one_user_does_not_crowd_out_others(house):
    house.conf(broker={"max_clients": "40", "max_clients_per_uid": "8"})
    house.start()

    def flood():
        socks = [wirepy.connect(house.socket) for _ in range(30)]
        time.sleep(0.3)
        alive = 0
        for s in socks:
            s.setblocking(False)
            try:
                alive += s.recv(1) != b""
            except BlockingIOError:
                alive += 1
            except ConnectionResetError:
                pass
        return alive

    assert wirepy.as_uid(STRANGER, flood) == 8
    socks = []
    try:
        for uid in range(20001, 20006):  # others together leave root its share
            socks.append(subprocess.Popen(
                ["/usr/bin/python3", "-c", FLOOD % (os.path.dirname(wirepy.__file__), uid,
                                                    house.socket)], stdout=subprocess.PIPE))
        for p in socks:
            p.stdout.readline()
        assert house.call("ping")[0].verdict == "ok"
    finally:
        for p in socks:
            p.kill()
            p.wait()


FLOOD = """
import os, sys, time
sys.path.insert(0, %r)
import wirepy
os.setgroups([]); os.setgid(%d + 0); os.setuid(os.getgid())
keep = [wirepy.connect(%r) for _ in range(10)]
print("up", flush=True)
time.sleep(60)
"""
