"""An attacker at the sockets: what a user of the machine can try who is nobody
to otpcored, one of its users, a verifier or an administrator."""

import array
import os
import pwd
import random
import resource
import signal
import socket as sockets
import struct
import subprocess
import time

import pytest

import wirepy
from house import House, UID_UNKNOWN, needs_root

LONG = int(os.environ.get("MAGOTP_LONG", "0"))
ANNA, BOSS, BLUE, STRANGER = 12001, 12003, 12004, 12005
WEB = pwd.getpwnam("www-data").pw_uid
PROTO, VERSION, PERM = 7, 8, 9


def descriptors(house, name="broker"):
    return len(os.listdir("/proc/%d/fd" % house.processes[name].pid))


def cpu(house, name="broker"):
    """Seconds that the daemon has worked."""
    with open("/proc/%d/stat" % house.processes[name].pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(house, name="broker"):
    d = "/proc/%d/fd" % house.processes[name].pid
    return [os.readlink(os.path.join(d, f)) for f in sorted(os.listdir(d), key=int)]


def settles(house, wanted, name="broker"):
    for _ in range(200):
        if descriptors(house, name) <= wanted:
            return True
        time.sleep(0.02)
    return False


def error_of(answer):
    return struct.unpack(">I", answer[4:8])[0]


# ---- administrators ----


@pytest.fixture
def towns(house):
    """Two organisations, each with its administrator; anna is of red."""
    house.start()
    house.account("anna", uid=ANNA, organisation="red")
    house.account("boss", uid=BOSS, organisation="red", role="organisation-admin")
    house.account("blue", uid=BLUE, organisation="blue", role="organisation-admin")
    house.phone("anna")
    return house


@needs_root
def test_threat_01_administrator_of_another_organisation(towns):
    """Nothing about anna for blue's administrator, who sees the own people only."""
    for m in wirepy.MESSAGES.values():
        if m.id >= 200 or not any(f.type == "account" for f in m.request):
            continue
        if any(f.type == "service" for f in m.request) and m.authority == "any":
            continue  # logins: test_threats.py
        if m.name == "account_add":
            continue
        result, _ = towns.call(m.name, {"user": "anna"}, uid=BLUE)
        assert result.error in ("PERM", "UNSUPPORTED"), (m.name, result)
    names = lambda uid: [a["name"] for a in towns.call("account_list", {}, uid=uid)[1]["accounts"]]
    assert names(BLUE) == ["blue"] and names(BOSS) == ["anna", "boss"]


@needs_root
def test_threat_01_administrator_does_not_climb(towns):
    """No roles, no other organisation, no keys, nobody of the system, nobody twice."""
    def tries(name, fields):
        result, _ = towns.call(name, fields, uid=BOSS)
        return result.error or result.verdict

    for fields in ({"role": "organisation-admin"}, {"role": "application-admin"},
                   {"organisation": "blue"}, {"organisation": "-"}):
        assert tries("account_set", {"user": "anna", **fields}) == "not-allowed", fields
        assert tries("account_add", {"user": "new", "uid": 13000, **fields}) == "not-allowed"
    for user, uid in (("root", 0), ("root", UID_UNKNOWN), ("daemon", 1), ("again", ANNA)):
        assert tries("account_add", {"user": user, "uid": uid}) == "not-allowed", (user, uid)
    assert tries("account_add", {"user": "new", "uid": 13000}) == "ok"
    assert [a["organisation"] for a in towns.call("account_show", {"user": "new"})[1]["accounts"]] \
        == ["red"]
    for name in ("licence_issue", "licence_list", "licence_release", "licence_void"):
        assert tries(name, {}) == "PERM", name


# ---- verifiers ----


@needs_root
def test_threat_09_verifier_learns_nothing_unproven(house):
    """A web server that was taken over cannot ask where and how people log in."""
    house.conf(broker={"verifiers": "www-data:nginx"})
    house.start()
    house.account("anna", uid=ANNA)
    house.phone("anna")
    login = house.login("anna", rhost="203.0.113.7", tty="pts/3")
    login.send()
    assert login.verify(house.code())[0].verdict == "ok"
    assert login.open(rhost="203.0.113.7")[0].verdict == "ok"
    asked = {"user": "anna", "service": "nginx", "uid": UID_UNKNOWN}
    for name in ("account", "open"):
        known = house.call(name, asked, uid=WEB)
        unknown = house.call(name, {**asked, "user": "nobody-there"}, uid=WEB)
        assert known == unknown, (name, known, unknown)
        assert "203.0.113.7" not in repr(known)
    # And after a login of its own: that it was one, not what was before.
    login = house.login("anna", service="nginx", uid=WEB)
    login.send()
    assert login.verify(house.code())[0].verdict == "ok"
    result, reply = login.open()
    assert result.verdict == "ok" and reply["previous_from"] == "" and reply["previous_at"] == 0


# ---- a connection that changed hands ----


def passed_on(house, request):
    """As ANNA: connect, hand the descriptor to a child, end; the child asks over it
    when the process that connected is gone. The answer comes back through a pipe."""
    here, there = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.setgroups([])
        os.setgid(ANNA)
        os.setuid(ANNA)
        s = wirepy.connect(house.socket)
        parent = os.getpid()
        if os.fork() == 0:
            while os.getppid() == parent:
                time.sleep(0.005)
            s.send(request)
            os.write(there, s.recv(65536))
            os._exit(0)
        os._exit(0)
    os.close(there)
    os.waitpid(middle, 0)
    with os.fdopen(here, "rb") as f:
        return f.read()


@needs_root
def test_threat_02_what_an_old_connection_may_still_do(towns):
    """Authority is the uid's and stays; what hangs on the process is gone with it."""
    rounds = 1000 if LONG else 20
    for _ in range(rounds):
        answer = passed_on(towns, wirepy.encode_request("status", {"user": "anna"}))
        result, reply = wirepy.decode_reply("status", answer)
        assert result.error == "" and reply["recorded"] == 0
        assert reply["strength"] in ("", "none", "password"), reply
        answer = passed_on(towns, wirepy.encode_request("status", {"user": "boss"}))
        assert error_of(answer) == PERM


@needs_root
def test_threat_13_grant_is_good_for_its_process_only(towns):
    """anna's second process cannot change phones with what the first one proved."""
    def here(name, fields):  # as anna, and still this process
        os.seteuid(ANNA)
        try:
            return towns.call(name, fields)
        finally:
            os.seteuid(0)

    result, begun = here("begin", {"user": "anna", "service": "elevate", "uid": UID_UNKNOWN})
    assert result.verdict == "ok" and begun["decision"] == 1, (result, begun)
    assert here("send", {"txn": begun["txn"], "seq": 1, "ref": 1})[0].verdict == "ok"
    result, reply = here("verify", {"txn": begun["txn"], "seq": 2, "ref": 1,
                                    "code": towns.code()})
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    change = {"user": "anna", "grant": begun["txn"], "ref": 1, "channel": "voice"}
    own, _ = here("phone_channel", change)
    assert own.verdict == "ok", own
    other, _ = towns.call("phone_channel", change, uid=ANNA)
    assert other.verdict == "elevate-first", other
    stranger, _ = towns.call("phone_channel", change, uid=STRANGER)
    assert stranger.error == "PERM"


# ---- frames ----


@needs_root
def test_threat_32_garbage_from_everybody(towns):
    """Right heads with random bodies, right requests with changed bytes, noise:
    always an answer, never another process, nothing left open."""
    pid = towns.processes["broker"].pid
    towns.call("ping")
    before = descriptors(towns)
    messages = list(wirepy.MESSAGES.values())

    def shoot(seed, count):
        rng = random.Random(seed)
        for _ in range(count):
            m = rng.choice(messages)
            if m.name in ("account_delete", "phone_delete", "phone_test"):
                continue
            frame = wirepy.encode_request(m.name, wirepy.random_fields(m.request, rng, 0.2))
            kind = rng.randrange(4)
            if kind == 0:
                frame = frame[:4] + rng.randbytes(rng.randrange(200))
            elif kind == 1:
                frame = frame[:rng.randrange(1, len(frame) + 1)]
            elif kind == 2:
                at = rng.randrange(len(frame))
                frame = frame[:at] + rng.randbytes(2) + frame[at:]
            answer = wirepy.raw(towns.socket, frame)
            assert answer is not None and len(answer) >= 18
        return True

    count = 20000 if LONG else 400
    for uid in (0, ANNA, BOSS, WEB, STRANGER):
        assert wirepy.as_uid(uid, lambda: shoot(uid, count))
    assert towns.processes["broker"].poll() is None and towns.processes["broker"].pid == pid
    assert settles(towns, before)
    assert towns.call("ping")[0].verdict == "ok"


def test_threat_32_too_large_and_empty(anna):
    for size in (65537, 100000, 200000):
        answer = wirepy.raw(anna.socket, wirepy.encode_request("ping") + b"x" * size)
        assert error_of(answer) == PROTO
    with wirepy.connect(anna.socket) as s:
        s.send(b"")  # reads like an end
        assert s.recv(10) == b""
    assert anna.call("ping")[0].verdict == "ok"


def test_threat_01_other_kinds_of_sockets_are_refused(anna):
    for kind in (sockets.SOCK_STREAM, sockets.SOCK_DGRAM):
        with sockets.socket(sockets.AF_UNIX, kind) as s, pytest.raises(OSError):
            s.connect(anna.socket)


def test_one_answer_a_connection(anna):
    """Frames that follow the first are not read; each request is charged alone."""
    with wirepy.connect(anna.socket) as s:
        ping = wirepy.encode_request("ping")
        sent = 0
        try:
            for sent in range(50):
                s.send(ping)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answers = 0
        try:
            while s.recv(65536):
                answers += 1
        except ConnectionResetError:
            pass
        assert answers <= 1
    assert anna.call("ping")[0].verdict == "ok"


# ---- floods ----


def test_threat_31_connect_and_go(anna):
    """Gone before the frame, after it, in the middle of a request that waits."""
    anna.call("ping")
    before = descriptors(anna)
    begin = wirepy.encode_request("begin", {"user": "anna", "service": "sshd", "proof": 1})
    for i in range(600):
        s = wirepy.connect(anna.socket)
        if i % 3:
            s.send(begin if i % 3 == 1 else wirepy.encode_request("ping")[:3])
        s.close()
    assert settles(anna, before)
    login = anna.login("anna")
    assert login.send()[0].verdict == "ok"


@needs_root
def test_threat_30_gone_after_the_frame_stays_charged(anna):
    """A guess whose sender hangs up at once is a guess."""
    login = anna.login("anna")
    login.send()
    code = anna.code()
    bad = "%06d" % ((int(code) + 1) % 1000000)
    for seq in (2, 3, 4):
        frame = wirepy.encode_request("verify", {"txn": login.txn, "seq": seq, "ref": 1,
                                                 "code": bad})
        s = wirepy.connect(anna.socket)
        s.send(frame)
        s.close()
        time.sleep(0.1)
    result, _ = login.verify(code, seq=5)
    assert result.verdict in ("tries-exceeded", "account-throttled"), result


def hold(path, count):
    """As many open connections as are let in, and kept."""
    keep = []
    for _ in range(count):
        try:
            keep.append(wirepy.connect(path, 2))
        except OSError:
            break
    return keep


@needs_root
def test_threat_31_caps_are_given_back(house):
    """Again and again over the cap of a uid: what is let go is free again."""
    house.conf(broker={"max_clients": "64", "max_clients_per_uid": "8"})
    house.start()

    def flood():
        held = hold(house.socket, 40)
        time.sleep(0.2)  # long enough to be counted
        return bool(held)

    for _ in range(5):
        assert wirepy.as_uid(STRANGER, flood)
    for _ in range(100):
        try:
            if house.call("ping", uid=STRANGER)[0].verdict == "ok":
                break
        except ConnectionError:
            time.sleep(0.05)
    else:
        pytest.fail("the stranger stays locked out")
    log = house.log()
    assert 0 < log.count("too many connections") < 20  # a flood does not fill the log


def test_threat_31_no_descriptor_left(house):
    """Connections are turned away, without a spin; then all is well again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    house.conf(broker={"max_clients": "512"})
    house.start()
    house.call("ping")  # all is open now
    pid = house.processes["broker"].pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert limits[0] >= 2 * 512  # raised by itself
    used = descriptors(house)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, limits[1]))
    try:
        keep = hold(house.socket, 60)
        time.sleep(0.2)
        before = cpu(house)
        time.sleep(1)
        assert cpu(house) - before < 0.3
        with pytest.raises((ConnectionError, TimeoutError)):
            house.call("ping", timeout=2)
        for s in keep:
            s.close()
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert settles(house, used), open_files(house)
    assert house.call("ping")[0].verdict == "ok"
    assert "no descriptor for a connection" in house.log()


def test_threat_31_slow_readers_hold_up_nobody(anna):
    """Requests whose answers are not fetched, while others log in."""
    slow = hold(anna.socket, 40)
    for s in slow:
        s.send(wirepy.encode_request("account_list"))
    begun = time.monotonic()
    login = anna.login("anna")
    assert login.send()[0].verdict == "ok"
    assert login.verify(anna.code())[0].verdict == "ok"
    assert time.monotonic() - begun < 3
    for s in slow:
        s.close()


# ---- smsd ----


@needs_root
def test_threat_25_smsd_takes_messages_from_root_and_otpcored_only(anna):
    submit = {"id": "x1", "to": "+12025550199", "channel": "sms", "template": "test",
              "expires_at": int(time.time()) + 60}
    before = len(anna.messages())
    os.chmod(anna.smsd_socket, 0o666)  # even if its mode did not keep them out
    for uid in (ANNA, STRANGER, WEB):
        for name, fields in (("submit", submit), ("gateway_list", {})):
            try:
                assert anna_smsd(anna, name, fields, uid).error == "PERM"
            except ConnectionError:
                pass  # hanging up is a refusal too
    assert len(anna.messages()) == before


def anna_smsd(house, name, fields, uid=None):
    return wirepy.call(house.smsd_socket, name, fields, uid=uid)[0]


def test_threat_32_garbage_at_smsd(anna):
    pid = anna.processes["smsd"].pid
    rng = random.Random(25)
    anna_smsd(anna, "gateway_list", {})
    before = descriptors(anna, "smsd")
    submit = wirepy.MESSAGES["submit"]
    for i in range(20000 if LONG else 600):
        fields = wirepy.random_fields(submit.request, rng, 0.3)
        fields["template"] = ""  # random texts to random numbers: none may get out
        frame = wirepy.encode_request("submit", fields)
        if i % 3 == 0:
            frame = frame[:rng.randrange(1, len(frame))]
        elif i % 3 == 1:
            frame = frame[:4] + rng.randbytes(rng.randrange(300))
        wirepy.raw(anna.smsd_socket, frame)
    for size in (65537, 150000):
        wirepy.raw(anna.smsd_socket, wirepy.encode_request("gateway_list") + b"x" * size)
    assert anna.processes["smsd"].poll() is None and anna.processes["smsd"].pid == pid
    assert settles(anna, before, "smsd")
    assert anna_smsd(anna, "gateway_list", {}).error == ""


def test_smsd_takes_no_path_for_an_id(anna):
    """The outbox names files after ids: nothing outside it is ever written."""
    for id in ("../../escape", "/tmp/escape", ".", "..", "a/b", "", "x" * 40, "a\nb", "-rf"):
        result = anna_smsd(anna, "submit", {"id": id, "to": "+12025550199", "channel": "sms",
                                            "template": "", "text": "hello", "priority": 2,
                                            "expires_at": int(time.time()) + 60})
        del result
    for base, _, files in os.walk(anna.dir):
        for f in files:
            assert not f.startswith("escape"), os.path.join(base, f)
    assert not os.path.exists("/tmp/escape.json") and not os.path.exists("/tmp/escape")
