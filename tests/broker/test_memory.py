"""threat 20: after logins no code, seed or key is in memory that can be swapped or dumped,
and a crash leaves no core file. (Logs, argv, environ, files: tests/system/test_canaries.py.)"""

import os
import re
import signal
import urllib.parse

import memory
import oath
import pytest
from house import needs_root, sanitized
from inject import Inject
from peers import HttpPeer


class Api(HttpPeer):
    def answer(self, request):
        return 200, "{}"

    def code(self):
        text = urllib.parse.parse_qs(self.requests[-1].body.decode())["text"][0]
        return re.search(r"\d{8}", text)[0]


def unsafe(pid):
    """(name, bytes) of what can be swapped out or written into a core."""
    return [(name, data) for name, flags, data in memory.writable(pid) if {"lo", "dd"} - flags]


@needs_root
def test_threat_20_no_code_seed_or_key_in_swappable_memory(house, open_dir):
    with Api(open_dir) as api:
        house.conf(phone={"code_digits": 8})
        with open(os.path.join(house.dir, "gateway.password"), "w") as f:
            f.write("canary-key-5512\n")
        house.smsd_conf(**{"gateway api": {
            "driver": "http", "channels": "sms", "url": api.url + "/", "username": "acct",
            "password": "file:%s" % f.name, "auth": "basic", "field.to": "{to}",
            "field.text": "{text}"}, "gateway outbox": {"channels": "email"}})
        os.chmod(f.name, 0o600)
        house.start()
        house.account("anna")
        house.ok("phone_add", {"user": "anna", "number": "+12025550101", "channel": "sms"})
        codes = [api.code()]
        house.ok("phone_verify", {"user": "anna", "ref": 0, "code": codes[0]})
        for _ in range(3):
            login = house.login("anna")
            assert login.send()[0].verdict == "ok"
            codes.append(api.code())
            assert login.verify(codes[-1])[0].verdict == "ok"
        seed = oath.seed("M-1", digits=8)
        oath.stock(house, seed)
        tokens = [oath.hotp(seed["secret"], n, 8) for n in range(3)]
        house.ok("token_add", {"user": "anna", "serial": "M-1", "code1": tokens[0],
                               "code2": tokens[1]})
        assert house.login("anna").verify(tokens[2], ref=4)[0].verdict == "ok"
        with open(os.path.join(house.dir, "master.key"), "rb") as key:
            hexadecimal = key.read().strip()
        canaries = {"code": [c.encode() for c in codes + tokens], "seed": [seed["secret"]],
                    "key": [hexadecimal, bytes.fromhex(hexadecimal.decode())]}
        for who in ("broker", "smsd"):
            found = unsafe(house.processes[who].pid)
            assert sum(len(data) for _, data in found) > 10**6  # it was looked at
            leaks = [(who, what, name) for what, words in canaries.items() for w in words
                     for name, data in found if w in data]
            assert leaks == []
        # It can be found where it is: the test would see it.
        assert any(b"anna" in data for _, data in unsafe(house.processes["broker"].pid))
        # And what is no secret cannot be swapped out either: a request has codes in it, too.
        locked = memory.may_lock() and not sanitized()
        for who in ("broker", "smsd") if locked else ():
            assert [(who, name) for pid in memory.family(house.processes[who].pid)
                    for name, data in memory.swappable(pid)
                    if b"anna" in data or b"12025550101" in data] == []
        for who in ("broker", "smsd"):
            child = house.processes.pop(who)
            child.send_signal(signal.SIGSEGV)
            ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert (ended.si_code, ended.si_status) == (os.CLD_KILLED, signal.SIGSEGV)
            child.wait()


@needs_root
@memory.needs_locking
def test_threat_20_without_a_limit_nothing_at_all_can_be_swapped_out(house, open_dir):
    """As the units start them: what the daemons and their children have, and what they take
    while they work."""
    if sanitized():
        pytest.skip("a sanitizer's memory is too large to be locked")
    with Api(open_dir) as api:
        house.conf(phone={"code_digits": 8})
        house.smsd_conf(**{"gateway api": {
            "driver": "http", "channels": "sms", "url": api.url + "/", "auth": "none",
            "field.to": "{to}", "field.text": "{text}"},
            "gateway program": {"driver": "exec", "channels": "voice", "command": "/bin/true"},
            "gateway outbox": {"channels": "email"}})
        house.environ.update(Inject(house.dir, house.build).environ(), MAGOTP_NO_LIMIT="1")
        house.start()
        house.account("anna")
        house.ok("phone_add", {"user": "anna", "number": "+12025550101", "channel": "sms"})
        house.ok("phone_verify", {"user": "anna", "ref": 0, "code": api.code()})
        login = house.login("anna")
        assert login.send()[0].verdict == "ok" and login.verify(api.code())[0].verdict == "ok"
        processes = [pid for who in ("broker", "smsd")
                     for pid in memory.family(house.processes[who].pid)]
        assert len(processes) == 4  # the helpers for passwords and programs
        assert [(pid, name) for pid in processes for name, _ in memory.swappable(pid)] == []
