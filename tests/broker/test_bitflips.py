"""threat 32: a broker on a database with flipped bits refuses to start or to answer, or
answers right; it never takes a wrong code and never crashes. (10⁵ of them below the
broker: tests/store/test_fault.c.)"""

import os
import random
import time

import oath
import wirepy
from house import wrong

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"
FLIPS = 400 if LONG else 10


def ask(house, name, fields):
    """The result, or None where there was no answer."""
    try:
        return house.call(name, fields, timeout=5)
    except (OSError, ValueError):
        return None


def attack(house, codes):
    """What must never be "ok"."""
    got = []
    for service in ("sshd", "su"):
        for ref, code in codes:
            begun = ask(house, "begin", {"user": "anna", "service": service, "proof": 1,
                                         "uid": wirepy.UID_UNKNOWN})
            if not begun or not begun[1].get("txn"):
                continue
            answer = ask(house, "verify", {"txn": begun[1]["txn"], "seq": 1, "ref": ref,
                                           "code": code})
            got.append(answer and answer[0].verdict)
    for name in ("account_show", "phone_list", "token_mine", "status"):
        ask(house, name, {"user": "anna"})
    return got


def test_threat_32_flipped_bits_never_open_a_door(house):
    house.start()
    house.account("anna", uid=12001)
    number = house.phone("anna")
    seed = oath.seed("F-1")
    oath.stock(house, seed)
    codes = [oath.hotp(seed["secret"], n) for n in range(40)]
    house.ok("token_add", {"user": "anna", "serial": "F-1", "code1": codes[0], "code2": codes[1]})
    login = house.login("anna")
    login.send()
    used = house.code(number)
    assert login.verify(used)[0].verdict == "ok"
    later = house.login("anna")
    later.send()
    pending = house.code(number)
    no_code = next("%06d" % n for n in range(10**6) if "%06d" % n not in codes)
    house.stop("broker")
    path = os.path.join(house.dir, "db", "otpcore.db")
    with open(path, "rb") as f:
        good = f.read()
    rng, refused, silent, answered = random.Random(32), 0, 0, 0
    for turn in range(FLIPS):
        data = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            at = rng.randrange(len(data) * 8)
            data[at // 8] ^= 1 << at % 8
        for beside in ("", "-wal", "-shm"):
            if os.path.exists(path + beside):
                os.unlink(path + beside)
        with open(path, "wb") as f:
            f.write(data)
        try:
            house.start_broker()
        except RuntimeError as e:  # said why, and ended
            assert " ended: " in str(e), e
            assert house.processes.pop("broker").returncode == 1, house.log()[-2000:]
            refused += 1
            continue
        got = attack(house, [(4, no_code), (4, codes[1]), (1, wrong(pending)), (1, used)])
        time.sleep(0.01)
        assert "ok" not in got, (turn, got, house.log()[-2000:])
        if house.processes["broker"].poll() is not None:  # it listens before it opens the store
            assert house.processes.pop("broker").returncode == 1, house.log()[-2000:]
            refused += 1
            continue
        silent += got.count(None) + got.count("undecided")
        answered += len(got)
        house.stop_hard("broker")
    print("\n%d databases with flipped bits: %d refused at the start, %d of %d verifications "
          "without a verdict, 0 wrong codes accepted, 0 crashes" % (
              FLIPS, refused, silent, answered))
    with open(path, "wb") as f:
        f.write(good)
    house.start_broker()
    assert later.verify(pending)[0].verdict == "ok"
