"""The wire in Python, for tests: read from the same .wire files as the C codec.

    from wirepy import call, raw, encode_request, random_fields
    result, reply = call("/run/x/otpcored.sock", "begin", {"user": "anna", "service": "sshd"})
    result.error     ""  or the name of an error in err.def without MAG_E: "PERM", "PROTO"
    result.verdict   id: "ok", "code-wrong", "undecided"
    reply["factors"] list of dicts; reply["txn"] bytes; texts are str, numbers int

    call(..., uid=1234)      speaks as that user: a forked child drops to it
    raw(socket, frame)       sends any bytes; the answer's bytes, None if the
                             server hung up, TimeoutError if it kept silent
    as_uid(uid, function)    run anything as that user, get its result back

A text may be given as str or as bytes (also bytes that are not UTF-8), so that
tests can send what the C encoder refuses to.
"""

import collections
import glob
import os
import pickle
import random
import re
import socket as sockets
import struct
import sys
import traceback

FRAME_MAX = 65536
UID_UNKNOWN = 4294967295
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXTS = ("text", "account", "service", "secret")

Field = collections.namedtuple("Field", "name type max row")
Message = collections.namedtuple("Message", "name id authority request reply")
Result = collections.namedtuple("Result", "error verdict seconds detail")


def _parse(path, rows, messages):
    fields = None
    for line in open(path, encoding="utf-8"):
        words = line.split("#")[0].split()
        if not words:
            continue
        kind = words[0]
        if kind == "row":
            fields = rows[words[1]] = []
        elif kind == "message":
            message = Message(words[1], int(words[2]), words[3], [], [])
            messages[message.name] = message
        elif kind == "request":
            fields = message.request
        elif kind == "reply":
            fields = message.reply
        elif kind == "list":
            fields.append(Field(words[1], "list", int(words[3]), rows[words[2]]))
        else:
            maximum = {"account": 256, "service": 64}.get(kind)
            if maximum is None and len(words) > 2:
                maximum = int(words[2])
            fields.append(Field(words[1], kind, maximum, None))


def _load():
    rows, messages = {}, {}
    for path in sorted(glob.glob(os.path.join(TOP, "otpcore", "wire", "*.wire"))):
        _parse(path, rows, messages)
    return rows, messages


def _names(file, pattern):
    text = open(os.path.join(TOP, "otpcore", "base", file), encoding="utf-8").read()
    return {int(number): name for name, number in re.findall(pattern, text, re.M)}


def _define(name):
    text = open(os.path.join(TOP, "otpcore", "wire", "protocol.h"), encoding="utf-8").read()
    return int(re.search(r"#define %s\s+(\d+)" % name, text).group(1))


ROWS, MESSAGES = _load()
BY_ID = {m.id: m for m in MESSAGES.values()}
ERRORS = _names("err.def", r"^MAG_ERR\((\w+), (\d+),")
VERDICTS = {
    int(number): id
    for number, id in re.findall(
        r'^VERDICT\(\w+, (\d+), "([^"]+)"\)',
        open(os.path.join(TOP, "otpcore", "base", "verdict.def"), encoding="utf-8").read(),
        re.M,
    )
}
VERSION = _define("WIRE_VERSION")


# ---- codec ----


def encode_fields(fields, values):
    unknown = set(values) - {f.name for f in fields}
    if unknown:
        raise KeyError("no such field: %s" % ", ".join(sorted(unknown)))
    out = b""
    for f in fields:
        value = values.get(f.name)
        if f.type == "u32":
            out += struct.pack(">I", value or 0)
        elif f.type == "i64":
            out += struct.pack(">q", value or 0)
        elif f.type == "list":
            value = value or []
            out += struct.pack(">H", len(value))
            for row in value:
                out += encode_fields(f.row, row)
        else:
            data = value.encode() if isinstance(value, str) else (value or b"")
            out += struct.pack(">H", len(data)) + data
    return out


class _Reader:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise ValueError("short frame")
        out, self.data = self.data[:count], self.data[count:]
        return out

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


def decode_fields(fields, reader):
    out = {}
    for f in fields:
        if f.type == "u32":
            out[f.name] = reader.number(">I")
        elif f.type == "i64":
            out[f.name] = reader.number(">q")
        elif f.type == "list":
            out[f.name] = [decode_fields(f.row, reader) for _ in range(reader.number(">H"))]
        else:
            data = reader.take(reader.number(">H"))
            if len(data) > f.max:
                raise ValueError("too long: " + f.name)
            out[f.name] = data.decode() if f.type in TEXTS else data
    return out


def encode_request(name, values=None):
    m = MESSAGES[name]
    return struct.pack(">HH", VERSION, m.id) + encode_fields(m.request, values or {})


def decode_reply(name, frame):
    m, r = MESSAGES[name], _Reader(frame)
    version, id, error, verdict, seconds = struct.unpack(">HHIII", r.take(16))
    if version != VERSION or id != m.id:
        raise ValueError("reply of version %d to message %d" % (version, id))
    detail = r.take(r.number(">H")).decode()
    name = ERRORS.get(error, str(error)) if error else ""
    result = Result(name, VERDICTS.get(verdict, str(verdict)), seconds, detail)
    reply = decode_fields(m.reply, r) if not error else {}
    if r.data:
        raise ValueError("bytes over")
    return result, reply


def random_fields(fields, rng=random, fill=0.5):
    """Values within the maxima for every field; `fill` is how full they are."""
    out = {}
    for f in fields:
        if f.type == "u32":
            out[f.name] = rng.choice([0, 1, 2, 3, UID_UNKNOWN, rng.randrange(2**32)])
        elif f.type == "i64":
            out[f.name] = rng.choice([0, 1, -1, 2**63 - 1, -(2**63), rng.randrange(2**31)])
        elif f.type == "list":
            count = int(f.max * fill * rng.random())
            out[f.name] = [random_fields(f.row, rng, fill) for _ in range(count)]
        elif f.type in TEXTS:
            count = int(f.max * fill * rng.random())
            out[f.name] = "".join(rng.choice("abc019 +-_.:/") for _ in range(count))
        else:
            out[f.name] = rng.randbytes(int(f.max * fill * rng.random()))
    return out


# ---- talking ----


def as_uid(uid, function, gid=None):
    """function() in a child of that uid (needs root); its result, or its exception."""
    if uid is None or uid == os.geteuid():
        return function()
    receive, give = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(receive)
            os.setgroups([])
            os.setgid(uid if gid is None else gid)
            os.setuid(uid)
            try:
                answer = (True, function())
            except Exception as e:  # handed to the parent
                answer = (False, e)
            with os.fdopen(give, "wb") as out:
                pickle.dump(answer, out)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(give)
    with os.fdopen(receive, "rb") as inp:
        data = inp.read()
    os.waitpid(child, 0)
    if not data:
        raise RuntimeError("the child of uid %d died" % uid)
    good, value = pickle.loads(data)
    if not good:
        raise value
    return value


def connect(path, timeout=10):
    s = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
    s.settimeout(timeout)
    try:
        s.connect(path)
    except BaseException:
        s.close()
        raise
    return s


def _raw(path, frame, timeout, descriptors):
    with connect(path, timeout) as s:
        try:
            if descriptors:
                sockets.send_fds(s, [frame], descriptors)
            else:
                s.send(frame)
            return s.recv(FRAME_MAX + 1) or None
        except (BrokenPipeError, ConnectionResetError):
            return None


def raw(path, frame, uid=None, gid=None, timeout=10, descriptors=None):
    return as_uid(uid, lambda: _raw(path, frame, timeout, descriptors), gid)


def call(path, name, values=None, uid=None, gid=None, timeout=10):
    answer = raw(path, encode_request(name, values), uid, gid, timeout)
    if answer is None:
        raise ConnectionError("%s: the server hung up without an answer" % name)
    return decode_reply(name, answer)


if __name__ == "__main__":  # wirepy.py SOCKET MESSAGE [FIELD=VALUE...]
    given = dict(a.split("=", 1) for a in sys.argv[3:])
    for field in MESSAGES[sys.argv[2]].request:
        if field.name in given and field.type in ("u32", "i64"):
            given[field.name] = int(given[field.name])
    for part in call(sys.argv[1], sys.argv[2], given):
        print(part)
