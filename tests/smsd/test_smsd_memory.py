"""threat 20: passwords of gateways and codes are in no memory of magotp-smsd that could be
swapped out: neither while a message is on its way, nor before, nor after; nor in that of the
processes that it starts. (Core files, logs, argv, environ: tests/system/test_canaries.py.)"""

import base64
import os
import re

import pytest

from house import sanitized
from memory import family, needs_locking, swappable, writable
from peers import HttpPeer, wait_for
from smsd import ACCEPTED, CODE

BASIC, BEARER = "canary-password-5512", "canary-token-7140"


class Api(HttpPeer):
    def answer(self, request):
        return 200, "{}"


def spellings():
    return {"password": BASIC, "token": BEARER, "code": CODE,
            "header": base64.b64encode(f"acct:{BASIC}".encode()).decode().rstrip("=")}


def found(memory):
    """{what: where}"""
    return {what: name for name, data in memory for what, word in spellings().items()
            if word.encode() in data}


def leaks(pid):
    return {(process, what): name for process in family(pid)
            for what, name in found(swappable(process)).items()}


def secret(directory, name, text):
    path = directory / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def serving(smsd, directory):
    """With two gateways of passwords, a program of the administrator's, and a listener."""
    if sanitized():
        pytest.skip("a sanitizer's memory is too large to be locked")
    script = directory / "send-code"
    script.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    script.chmod(0o755)
    with Api(directory) as api:
        smsd.take_receipts()
        smsd.configure(*(
            f"[gateway {auth}]\ndriver = http\nchannels = {channel}\nurl = {api.url}/{auth}\n"
            f"auth = {auth}\npassword = file:{secret(directory, auth, word)}\n{name}"
            "field.to = {to}\nfield.text = {text}\ntimeout = 20s\n"
            for auth, channel, word, name in (("basic", "sms", BASIC, "username = acct\n"),
                                              ("bearer", "voice", BEARER, ""))),
            f"[gateway program]\ndriver = exec\nchannels = email\ncommand = {script}\n")
        smsd.api = api
        yield smsd


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes: needs root")
@needs_locking
def test_threat_20_no_password_or_code_in_swappable_memory_of_smsd(serving):
    smsd, api = serving, serving.api
    smsd.start()
    pid = smsd.process.pid
    assert len(family(pid)) == 3  # the listener, and who runs programs
    assert leaks(pid) == {}
    api.hang.set()
    waiting = [smsd.later(channel=channel) for channel in ("sms", "voice")]
    wait_for("both requests", lambda: len(api.requests) == 2)
    sent = {r.headers["Authorization"] for r in api.requests}
    assert sent == {f"Bearer {BEARER}",
                    "Basic " + base64.b64encode(f"acct:{BASIC}".encode()).decode()}
    # It would be seen: there it is, locked.
    assert found([(name, data) for name, _, data in writable(pid)]).keys() >= {
        "password", "token", "code"}
    assert leaks(pid) == {}
    api.hang.clear()
    assert [w.result()["outcome"] for w in waiting] == [ACCEPTED, ACCEPTED]
    assert smsd.outcome(channel="email", to="anna@example.org")["outcome"] == ACCEPTED
    assert leaks(pid) == {}
    smsd.reload()
    assert smsd.outcome()["outcome"] == ACCEPTED
    assert leaks(pid) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes: needs root")
@needs_locking
def test_threat_20_thirty_messages_at_once_stay_in_locked_memory(serving):
    smsd, api = serving, serving.api
    smsd.start()
    api.hang.set()
    waiting = [smsd.later(id=f"m-{n}") for n in range(30)]
    wait_for("all requests", lambda: len(api.requests) == 30)
    assert leaks(smsd.process.pid) == {}
    api.hang.clear()
    assert {w.result()["outcome"] for w in waiting} == {ACCEPTED}
    assert leaks(smsd.process.pid) == {}


def test_threat_20_a_limit_that_keeps_it_from_being_locked_is_named(serving):
    smsd = serving
    # Nor has root the right to lift it; nobody else had.
    no_rights = ["setpriv", "--bounding-set=-ipc_lock,-sys_resource", "--"]
    smsd.wrapper = ["prlimit", "--memlock=262144:262144", "--",
                    *(no_rights if os.geteuid() == 0 else [])]
    smsd.start()
    assert re.search(r"warning: .*can be swapped out: at most 256 KiB may be locked "
                     r"\(RLIMIT_MEMLOCK\).*LimitMEMLOCK=infinity", smsd.log())
    assert smsd.outcome()["outcome"] == ACCEPTED
