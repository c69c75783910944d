"""Session rows and what rests on them (security.md 13, rules L4, P6)."""

import multiprocessing
import os
import signal
import socket as sockets
import sqlite3
import time

import pytest

import wirepy
from house import needs_root  # noqa: E402
from house import Login, UID_UNKNOWN, wrong

ANNA, BERT = 12001, 12002

pytestmark = needs_root


def serve(pipe, socket):
    """A process that asks what it is told to."""
    while True:
        try:
            name, values = pipe.recv()
        except EOFError:
            os._exit(0)
        if name == "fork":  # a process more in this session; its pid
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            pipe.send(child)
            continue
        try:
            pipe.send(wirepy.call(socket, name, values))
        except Exception as e:
            pipe.send(e)


class Talker:
    def __init__(self, pipe):
        self.pipe = pipe

    def call(self, name, values=None, uid=None, timeout=None):
        self.pipe.send((name, values))
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Session:
    """What sshd makes: a root process that leads, with a login uid and an audit
    session of its own, and a process of the user inside."""

    def __init__(self, house, loginuid, uid=None):
        self.house = house
        ours, theirs = multiprocessing.Pipe()
        ours2, theirs2 = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            ours2.close()
            if loginuid is not None:
                with open("/proc/self/loginuid", "w") as f:
                    f.write(str(loginuid))
            if os.fork() == 0:
                theirs.close()
                os.setgroups([])
                os.setgid(uid or loginuid or 65534)
                os.setuid(uid or loginuid or 65534)
                serve(theirs2, house.socket)
            theirs2.close()
            serve(theirs, house.socket)
        theirs.close()
        theirs2.close()
        self.leader, self.person = Talker(ours), Talker(ours2)

    def end(self):
        """The leader dies; the user's process lives on."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def close(self):
        self.end()
        self.leader.pipe.close()
        self.person.pipe.close()

    def open(self, login):
        return self.leader.call("open", {"txn": login.txn, "user": login.user,
            "service": login.service, "uid": UID_UNKNOWN})

    def status(self, user="anna"):
        result, reply = self.person.call("status", {"user": user})
        assert result.error == "", result
        return reply

    def login_elevate(self, user="anna"):
        """`magotp elevate`, from the user's process."""
        login = Login(PersonHouse(self), user, "elevate", **{"uid": None, "proof": 0})
        return login


class PersonHouse:
    def __init__(self, session):
        self.session = session

    def call(self, name, values=None, uid=None, timeout=None):
        return self.session.person.call(name, values)


@pytest.fixture
def logged_in(anna):
    """Proven logins and sessions; everything is ended at the end."""
    sessions = []

    def login():
        got = anna.login("anna", rhost="203.0.113.7", tty="ssh")
        got.send()
        assert got.verify(anna.code())[0].verdict == "ok"
        assert got.account()[1]["decision"] == 2
        return got

    def session(loginuid=ANNA, uid=None):
        sessions.append(Session(anna, loginuid, uid))
        return sessions[-1]

    anna.new_login, anna.new_session = login, session
    yield anna
    for s in sessions:
        s.close()


def rows(house):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT account > 0, strength, ended_at > 0 FROM session").fetchall()


def test_threat_13_open_makes_a_session_that_counts(logged_in):
    house = logged_in
    s = house.new_session()
    assert s.status()["strength"] == "password" and s.status()["reason"] == "no-login"
    result, reply = s.open(house.new_login())
    assert (result.verdict, reply["recorded"], reply["strength"]) == ("ok", 1, "phone-otp")
    status = s.status()
    assert (status["recorded"], status["strength"], status["level"]) == (1, "phone-otp", 2)
    assert (status["service"], status["from"], status["tty"]) == ("sshd", "203.0.113.7", "ssh")
    assert status["previous_at"] == 0
    later = house.new_session()
    later.open(house.new_login())
    assert later.status()["previous_from"] == "203.0.113.7"
    assert later.status()["previous_strength"] == "phone-otp"
    # Another process of the same person outside it has nothing of it.
    assert house.call("status", {"user": "anna"}, uid=ANNA)[1]["strength"] == "password"


def test_open_asked_again_by_the_same_process_answers_again(logged_in):
    house = logged_in
    s, login = house.new_session(), house.new_login()
    first = s.open(login)
    assert s.open(login) == first
    assert house.new_session().open(login)[0].error == "STALE"


def test_threat_13_session_ends_with_close_or_its_leader(logged_in):
    house = logged_in
    one, two = house.new_session(), house.new_session()
    one.open(house.new_login())
    two.open(house.new_login())
    one.leader.call("close", {"user": "anna", "service": "sshd"})
    assert one.status()["reason"] == "ended"
    assert two.status()["recorded"] == 1
    two.end()
    assert (two.status()["recorded"], two.status()["reason"]) == (0, "ended")


def test_threat_13_two_logins_that_share_an_id_have_no_row(logged_in):
    house = logged_in
    s = house.new_session()
    assert s.open(house.new_login())[1]["recorded"] == 1
    result, reply = s.open(house.new_login())
    assert (reply["recorded"], reply["reason"]) == (0, "shared-id")
    assert s.status()["strength"] == "password" and s.status()["reason"] == "shared-id"
    assert rows(house) == [(0, 0, 1)]
    # The id stays burnt.
    assert s.open(house.new_login())[1]["reason"] == "shared-id"


def test_threat_13_id_that_did_not_change_since_auth(logged_in):
    """su: the caller's audit session goes on."""
    house = logged_in
    s = house.new_session()
    begun = s.leader.call("begin", {"user": "anna", "service": "su", "uid": UID_UNKNOWN,
                                    "proof": 1})[1]
    txn = begun["txn"]
    s.leader.call("send", {"txn": txn, "seq": 1, "ref": 1})
    assert s.leader.call("verify", {"txn": txn, "seq": 2, "ref": 1,
                                    "code": house.code()})[0].verdict == "ok"
    result, reply = s.leader.call("open", {"txn": txn, "user": "anna", "service": "su",
                                           "uid": UID_UNKNOWN})
    assert (result.verdict, reply["recorded"], reply["reason"]) == ("ok", 0, "shared-id")


def test_threat_13_only_root_with_the_right_login_uid(logged_in):
    house = logged_in
    assert house.new_session(BERT).open(house.new_login())[1]["reason"] == "other-uid"
    assert house.new_session(None).open(house.new_login())[1]["reason"] == "no-audit-id"
    # The user itself asks: its own account, but not root.
    s, login = house.new_session(), house.new_login()
    s.leader, s.person = s.person, s.leader
    login.txn = b""
    result, reply = s.open(login)
    assert (reply["recorded"], reply["reason"]) == (0, "not-root")
    assert rows(house) == [(0, 0, 1)]  # bert's id was seen


def test_key_alone_leaves_the_id_seen(logged_in):
    house = logged_in
    s, login = house.new_session(), house.new_login()
    login.txn = b""
    assert s.open(login)[1]["reason"] == "no-login"
    assert rows(house) == [(0, 0, 1)]


def test_L4_elevate_raises_the_session(logged_in):
    house = logged_in
    house.conf(**{"service portal": {"require": "password"}})
    house.stop("broker")
    house.start_broker()
    s = house.new_session()
    weak = house.login("anna", "portal", rhost="203.0.113.8")
    assert weak.begin["decision"] == 2 and weak.account()[1]["decision"] == 2
    result, reply = s.open(weak)
    assert (reply["recorded"], reply["strength"]) == (1, "password")
    login = s.login_elevate()
    assert login.begin["decision"] == 1, login.result
    login.send()
    result, reply = login.verify(house.code())
    assert (result.verdict, reply["strength"], reply["raised"]) == ("ok", "phone-otp", 1)
    assert s.status()["strength"] == "phone-otp"
    # Services that ask the broker see it at once: P6 lets the phone be changed.
    assert s.person.call("phone_channel", {"user": "anna", "ref": 1,
                                           "channel": "voice"})[0].verdict == "ok"


def test_a_weaker_factor_makes_a_stronger_session_no_younger(logged_in):
    """Else a phone would prolong `reuse` of what a token has proven."""
    house = logged_in
    s = house.new_session()
    assert s.open(house.new_login())[1]["recorded"] == 1
    with sqlite3.connect("%s/db/otpcore.db" % house.dir) as db:
        db.execute("UPDATE session SET strength = 5, since = since - 1000")
        before = db.execute("SELECT strength, since FROM session").fetchall()
    login = s.login_elevate()
    login.send()
    assert login.verify(house.code())[0].verdict == "ok"
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        assert db.execute("SELECT strength, since FROM session").fetchall() == before


def test_P6_grant_where_no_row_can_exist(logged_in):
    house = logged_in
    s = house.new_session(None, uid=ANNA)
    change = {"user": "anna", "ref": 1, "channel": "voice"}
    assert s.person.call("phone_channel", change)[0].verdict == "elevate-first"
    login = s.login_elevate()
    login.send()
    result, reply = login.verify(house.code())
    assert (result.verdict, reply["raised"], reply["reason"]) == ("ok", 0, "no-audit-id")
    # The same process goes on with it; another of the same user does not.
    other = house.new_session(None, uid=ANNA)
    assert other.person.call("phone_channel",
        {**change, "grant": login.txn})[0].verdict == "elevate-first"
    assert s.person.call("phone_channel", {**change, "grant": login.txn})[0].verdict == "ok"
    # A ticket that was begun but not verified grants nothing.
    begun = other.login_elevate()
    assert other.person.call("phone_channel",
        {**change, "grant": begun.txn})[0].verdict == "elevate-first"


def test_elevate_is_never_spared(logged_in):
    """Whatever [service *] says: elevating asks for a second factor, or says that
    there is none."""
    house = logged_in
    house.account("bert", uid=BERT)
    house.conf(**{"service *": {"require": "password", "skip": "yes", "observe": "yes",
                                "exempt_users": "anna", "unenrolled": "allow"}})
    house.stop("broker")
    house.start_broker()
    begun = house.new_session(None, uid=ANNA).login_elevate()
    assert (begun.begin["decision"], begun.begin["require"], begun.begin["skip"]) == (
        1, "phone-otp", 0)
    none = house.new_session(None, uid=BERT).login_elevate("bert")
    assert (none.begin["decision"], none.result.verdict) == (4, "requirements-not-met")


def test_elevate_without_the_code_raises_nothing(logged_in):
    house = logged_in
    s = house.new_session()
    s.open(house.new_login())
    login = s.login_elevate()
    login.send()
    code = house.code()
    result, reply = login.verify(wrong(code))
    assert (result.verdict, reply["raised"]) == ("code-wrong", 0)


def test_mode_none_passes_on_a_sound_session_only(logged_in):
    house = logged_in
    s = house.new_session()
    ask = {"user": "anna", "service": "sudo", "uid": UID_UNKNOWN, "proof": 1, "mode": "none"}
    assert s.leader.call("begin", ask)[1]["decision"] == 4
    t = house.new_session()
    assert t.open(house.new_login())[1]["recorded"] == 1
    result, reply = t.leader.call("begin", ask)
    assert (reply["decision"], reply["strength"], reply["has_level"]) == (2, "phone-otp", 2)
    result, reply = t.leader.call("account", {"txn": reply["txn"], "user": "anna",
                                              "service": "sudo", "uid": UID_UNKNOWN})
    assert reply["decision"] == 2
    t.leader.call("close", {"user": "anna", "service": "sshd"})
    assert t.leader.call("begin", ask)[1]["decision"] == 4


def test_reuse_within_its_time_only(logged_in):
    house = logged_in
    house.conf(**{"service sudo": {"reuse": "8h"}})
    house.stop("broker")
    house.start_broker()
    s = house.new_session()
    ask = {"user": "anna", "service": "sudo", "uid": UID_UNKNOWN, "proof": 1}
    assert s.leader.call("begin", ask)[1]["decision"] == 1
    t = house.new_session()
    t.open(house.new_login())
    assert t.leader.call("begin", ask)[1]["decision"] == 2
    assert t.leader.call("begin", {**ask, "service": "su"})[1]["decision"] == 1


def recycle(session, pid):
    """A process of that pid inside the session; False if another one got it."""
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(pid - 1))
    except OSError:
        pytest.skip("cannot choose pids here")
    made = session.person.call("fork")
    if made != pid:
        os.kill(made, signal.SIGKILL)
    return made == pid


def test_threat_10_by_default_nothing_is_skipped_and_nothing_used_again(logged_in):
    """Who has the password and a way into the owner's session has no second factor yet: a
    strong login a moment ago opens no other service, and Enter skips nothing."""
    house = logged_in
    s = house.new_session()
    s.open(house.new_login())
    assert s.status()["recorded"] == 1
    for service in ("sshd", "login", "su", "sudo"):
        begin = s.leader.call("begin", {"user": "anna", "service": service, "uid": UID_UNKNOWN,
                                        "proof": 1})[1]
        assert (begin["decision"], begin["skip"]) == (1, 0), service
        login = house.login("anna", service)
        assert login.skip()[0].verdict == "requirements-not-met"
        assert login.account()[0].verdict != "ok"
    assert not [x for x in s.status()["reuse"] if x["until"]]


RECYCLED = 1000 if os.environ.get("MAGOTP_LONG") else 10


def test_threat_02_recycled_pid_is_not_the_peer(logged_in):
    """Connect, pass the descriptor on, exit; the pid goes to a process inside a
    good session. Whoever asks on the old connection is not in that session."""
    house = logged_in
    s = house.new_session()
    s.open(house.new_login())
    assert s.status()["recorded"] == 1
    ours, theirs = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
    recycled = 0
    for _ in range(10 * RECYCLED):
        child = os.fork()
        if child == 0:
            os.setgid(ANNA)
            os.setuid(ANNA)
            c = wirepy.connect(house.socket)
            sockets.send_fds(theirs, [b"x"], [c.fileno()])
            os._exit(0)
        _, fds, _, _ = sockets.recv_fds(ours, 1, 1)
        house.call("ping")  # the connection was accepted before this one
        os.waitpid(child, 0)
        c = sockets.socket(fileno=fds[0])
        c.settimeout(5)
        ours_again = recycle(s, child)
        if ours_again:
            recycled += 1
            with open("/proc/%d/sessionid" % child) as f, \
                    open("/proc/%d/sessionid" % s.pid) as g:
                assert f.read() == g.read()  # it looks right
        c.send(wirepy.encode_request("status", {"user": "anna"}))
        _, reply = wirepy.decode_reply("status", c.recv(65536))
        c.close()
        assert (reply["recorded"], reply["reason"]) == (0, "no-audit-id")
        if ours_again:  # else the pid may be anybody's by now
            os.kill(child, signal.SIGKILL)
        if recycled == RECYCLED:
            print("%d recycled pids, none believed" % recycled)
            return
    # Others make processes, too: a few pids were theirs.
    assert recycled >= RECYCLED // 10, "%d pids were recycled" % recycled
