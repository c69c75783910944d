"""Codes of tokens, as RFC 4226 and RFC 6238 make them, and seeds to import."""

import hashlib
import hmac
import os
import struct

HOTP, TOTP = 1, 2
ALGORITHMS = {1: hashlib.sha1, 2: hashlib.sha256, 3: hashlib.sha512}


def hotp(seed, counter, digits=6, algorithm=1):
    mac = hmac.new(seed, struct.pack(">Q", counter), ALGORITHMS[algorithm]).digest()
    at = mac[-1] & 15
    return "%0*d" % (digits, (struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**digits)


def totp(seed, at, digits=6, period=30, algorithm=1):
    return hotp(seed, int(at) // period, digits, algorithm)


def seed(serial, type=HOTP, **fields):
    """One seed of token_stage."""
    row = {"serial": serial, "type": type, "algorithm": 1, "digits": 6, "counter": 0,
           "period": 30 if type == TOTP else 0, "secret": os.urandom(20)}
    row.update(fields)
    return row


def stock(house, *seeds, organisation="", uid=None):
    """Imports them; their serials."""
    batch = int.from_bytes(os.urandom(7), "big") + 1
    house.ok("token_stage", {"batch": batch, "organisation": organisation, "seeds": list(seeds)},
             uid=uid)
    done = house.ok("token_commit", {"batch": batch, "count": len(seeds)}, uid=uid)
    assert done["imported"] == len(seeds)
    return [s["serial"] for s in seeds]
