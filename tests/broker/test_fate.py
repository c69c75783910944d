"""What becomes of codes: the broker asks smsd and tells it. A dispatcher in Python stands
in, so that its silence and its word come when the test says."""

import pwd
import re
import selectors
import socket
import struct
import threading
import time

import pytest

import wirepy
from house import needs_root, wrong
from peers import wait_for

NOTHING, DELIVERED, FAILED = 1, 2, 3
ACCEPTED, UNDELIVERED = 2, 4


class Dispatcher:
    """Takes every message; `codes` {id: code}, `used` [(id, 1 or 0)], `asked` {id: the
    connection that waits for the fate}."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        self.socket.listen(1024)
        self.ids, self.codes, self.used, self.asked, self.most = [], {}, [], {}, 0
        self.deaf = False  # takes messages only, answers nothing else
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.socket, selectors.EVENT_READ)
        self.ended = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended:
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.socket:
                    self.selector.register(self.socket.accept()[0], selectors.EVENT_READ)
                else:
                    self._serve(key.fileobj)

    def _serve(self, c):
        try:
            frame = c.recv(wirepy.FRAME_MAX)
        except ConnectionResetError:
            frame = b""
        if not frame:
            self.selector.unregister(c)
            self.asked = {id: other for id, other in self.asked.items() if other is not c}
            c.close()
            return
        m = wirepy.BY_ID[struct.unpack(">HH", frame[:4])[1]]
        q = wirepy.decode_fields(m.request, wirepy._Reader(frame[4:]))
        if m.name == "submit":
            self.ids.append(q["id"])
            self.codes[q["id"]] = q["code"]
            self._answer(c, m, {"outcome": 1, "gateway": "fake"})
        elif m.name == "used" and not self.deaf:
            self.used.append((q["id"], q["used"]))
            self._answer(c, m, {})
        elif m.name == "delivery":
            self.asked[q["id"]] = c
            self.most = max(self.most, len(self.asked))

    def _answer(self, c, m, values):
        try:
            c.send(struct.pack(">HHIIIH", wirepy.VERSION, m.id, 0, 1, 0, 0) +
                   wirepy.encode_fields(m.reply, values))
        except BrokenPipeError:
            pass  # the broker does not wait

    def fate(self, id, state, error=""):
        c = wait_for("the question for the fate", lambda: self.asked.get(id))
        self._answer(c, wirepy.MESSAGES["delivery"], {"state": state, "error": error})

    def close(self):
        self.ended = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


@pytest.fixture
def smsd(house):
    d = Dispatcher(house.smsd_socket)
    house.conf(phone={"resend_wait": "1s"})
    house.start_broker()
    house.account("anna", uid=12001)
    house.ok("phone_add", {"user": "anna", "number": house.number(), "channel": "sms"})
    house.ok("phone_verify", {"user": "anna", "ref": 0, "code": d.codes[d.ids[-1]]})
    yield d
    d.close()


def sent(login, smsd, **fields):
    """Has a code sent; its id and code."""
    result, reply = login.send(**fields)
    assert (result.verdict, reply["delivery"]) == ("ok", ACCEPTED), result
    return smsd.ids[-1], smsd.codes[smsd.ids[-1]]


def fate(house, login):
    return house.ok("fate", {"txn": login.txn})["delivery"]


def counted(house, name, labels):
    for row in house.ok("stats")["stats"]:
        if (row["name"], row["labels"]) == (name, labels):
            return row["value"]
    return 0


def test_smsd_hears_of_codes_that_were_typed(house, smsd):
    assert smsd.used == [] or smsd.used == [(smsd.ids[0], 1)]  # the registration's
    login = house.login("anna")
    id, code = sent(login, smsd)
    wait_for("the question", lambda: id in smsd.asked)
    assert login.verify(wrong(code))[0].verdict == "code-wrong"
    assert login.verify(code)[0].verdict == "ok"
    wait_for("word of the code", lambda: (id, 1) in smsd.used)
    assert smsd.used == [(smsd.ids[0], 1), (id, 1)]
    wait_for("the end of the question", lambda: id not in smsd.asked)


def test_P5_smsd_hears_of_codes_that_a_newer_one_replaced(house, smsd):
    login = house.login("anna")
    first, _ = sent(login, smsd)
    time.sleep(1.1)
    second, code = sent(login, smsd, again=1)
    wait_for("word of the dead code", lambda: (first, 0) in smsd.used)
    for _ in range(3):
        login.verify(wrong(code))
    wait_for("word of the code that is over", lambda: (second, 0) in smsd.used)
    assert (second, 1) not in smsd.used


def test_P5_a_failed_delivery_is_known_at_the_next_prompt(house, smsd):
    login = house.login("anna")
    id, code = sent(login, smsd)
    assert fate(house, login) == ACCEPTED
    smsd.fate(id, FAILED, "undelivered")
    wait_for("the broker to know", lambda: fate(house, login) == UNDELIVERED)
    result, reply = login.verify(wrong(code))
    assert (result.verdict, reply["delivery"], reply["tries_left"]) == (
        "code-wrong", UNDELIVERED, 2)
    assert "did not arrive: undelivered" in house.log()
    assert counted(house, "magotp_deliveries_total", "state=failed") == 1


def test_a_receipt_changes_nothing_that_is_allowed(house, smsd):
    """The code is still good, its tries are what they were, the message is not given back,
    and the next one has to wait as long."""
    house.stop("broker")
    house.conf(phone={"sends_per_hour": "3"})
    house.start_broker()
    login = house.login("anna")  # the registration took the first message of the hour
    id, code = sent(login, smsd)
    smsd.fate(id, FAILED, "busy")
    wait_for("the broker to know", lambda: fate(house, login) == UNDELIVERED)
    result, reply = login.send()
    assert result.verdict == "try-later" and reply["seconds_left"] > 100
    time.sleep(1.1)
    second, code = sent(login, smsd)  # not the lost one again
    assert second != id
    smsd.fate(second, FAILED, "busy")
    wait_for("the broker to know", lambda: fate(house, login) == UNDELIVERED)
    result, reply = login.verify(wrong(code))
    assert reply["tries_left"] == 2
    time.sleep(1.1)
    assert login.send()[0].verdict == "send-limited"
    assert login.verify(code)[0].verdict == "ok"  # it had arrived after all


@pytest.mark.parametrize("state", [NOTHING, DELIVERED])
def test_other_word_leaves_it_accepted(house, smsd, state):
    login = house.login("anna")
    id, code = sent(login, smsd)
    smsd.fate(id, state)
    wait_for("the count", lambda: sum(
        counted(house, "magotp_deliveries_total", "state=" + s)
        for s in ("nothing", "delivered")) == 1)
    assert fate(house, login) == ACCEPTED


def test_word_that_comes_late_touches_no_newer_code(house, smsd):
    login = house.login("anna")
    first, _ = sent(login, smsd)
    wait_for("the question", lambda: first in smsd.asked)
    asked = smsd.asked[first].dup()
    time.sleep(1.1)
    second, code = sent(login, smsd, again=1)
    smsd._answer(asked, wirepy.MESSAGES["delivery"], {"state": FAILED})
    asked.close()
    smsd.fate(second, DELIVERED)
    wait_for("the count", lambda: counted(house, "magotp_deliveries_total", "state=delivered") == 1)
    assert fate(house, login) == ACCEPTED
    assert login.verify(code)[0].verdict == "ok"


def test_a_dispatcher_that_listens_to_nothing_delays_no_answer(house, smsd):
    smsd.deaf = True
    for _ in range(3):
        login = house.login("anna")
        _, code = sent(login, smsd)
        before = time.monotonic()
        assert login.verify(code)[0].verdict == "ok"
        assert time.monotonic() - before < 1
    smsd.close()
    login = house.login("anna")
    before = time.monotonic()
    assert login.send()[0].verdict == "send-failed"
    assert time.monotonic() - before < 3
    assert house.ok("ping")["version"]


def test_questions_are_bounded(house, smsd):
    """More codes on their way than questions: the others are not asked for, and everybody
    is answered."""
    house.stop("broker")
    house.conf(phone={"sends_per_hour": "100"})
    house.start_broker()
    for name in ("berta", "carla", "dora"):
        house.account(name)
        house.ok("phone_add", {"user": name, "number": house.number(), "channel": "sms"})
        house.ok("phone_verify", {"user": name, "ref": 0, "code": smsd.codes[smsd.ids[-1]]})
        for i in range(90):
            assert house.login(name, service="s%d" % i).send()[0].verdict == "ok"
    wait_for("the questions", lambda: smsd.most >= 256)
    assert smsd.most == 256
    assert house.ok("ping")["version"]
    assert house.stop("broker") == 0


def test_threat_19_strangers_hear_the_same(house, smsd):
    def told(user):
        login = house.login(user)
        before = house.call("fate", {"txn": login.txn})
        login.send()
        return before, house.call("fate", {"txn": login.txn})

    assert told("anna") == told("nobody-of-that-name")


@needs_root
def test_threat_19_a_verifier_does_not_hear_that_one_never_arrived(house, smsd):
    house.stop("broker")
    house.conf(broker={"verifiers": "www-data:nginx"})
    house.start_broker()
    web = pwd.getpwnam("www-data").pw_uid
    login = house.login("anna", "nginx", uid=web)
    id, code = sent(login, smsd)
    smsd.fate(id, FAILED, "undelivered")
    wait_for("the broker to know", lambda: "did not arrive" in house.log())
    result, reply = house.call("fate", {"txn": login.txn}, uid=web)
    assert (result.verdict, reply["delivery"]) == ("ok", ACCEPTED)
    result, reply = login.verify(wrong(code))
    assert (result.verdict, reply["delivery"]) == ("code-wrong", ACCEPTED)


def test_no_code_is_in_the_log(house, smsd):
    login = house.login("anna")
    id, code = sent(login, smsd)
    smsd.fate(id, FAILED, "undelivered")
    wait_for("the broker to know", lambda: fate(house, login) == UNDELIVERED)
    for code in smsd.codes.values():
        assert not re.search(r"(?<!\d)%s(?!\d)" % code, house.log())
