"""The spool driver, with the programs that read the spools."""

import os
import pwd
import re
import stat
import time

import pytest

from peers import Gammu, Smstools, wait_for
from smsd import ACCEPTED, CODE, EXPIRED, HOST, NUMBER, PERMANENT

ODD = "Zürich: 483920 日本 😀 [x] {y} € \\ \"q\"\nsecond line"


def peer_of(kind, directory):
    if not os.access(kind.program, os.X_OK):
        pytest.skip(f"{kind.program} is not installed")
    peer = kind(directory)
    if os.geteuid() == 0:
        os.chown(peer.outgoing, pwd.getpwnam("nobody").pw_uid, 0)
    return peer


@pytest.fixture(params=[Gammu, Smstools])
def peer(request, directory):
    return peer_of(request.param, directory)


def decode(pdu):
    """(number, coding, validity, text) of a SUBMIT PDU: 3GPP TS 23.040 §9.2.2.2."""
    data = bytes.fromhex(pdu)
    position = 1 + data[0] + 2  # the SMSC, type, reference
    digits = data[position]
    octets = data[position + 2:position + 2 + (digits + 1) // 2]
    number = "".join(f"{o & 15:x}{o >> 4:x}" for o in octets)[:digits]
    position += 2 + (digits + 1) // 2 + 1
    coding, validity, length = data[position], data[position + 1], data[position + 2]
    body = data[position + 3:]
    if coding == 8:
        return number, coding, validity, body.decode("utf-16-be")
    bits = int.from_bytes(body, "little")
    return number, coding, validity, "".join(chr(bits >> 7 * i & 127) for i in range(length))


def test_gammu_sends_the_code(smsd, directory):
    with peer_of(Gammu, directory) as gammu:
        smsd.configure(gammu.preset())
        smsd.start()
        reply = smsd.outcome(id="abc-1_Z")
        assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "gammu")
        (name,) = gammu.sent()
        assert re.fullmatch(rf"OUTA\d{{8}}_\d{{6}}_00_\{NUMBER}_abc-1_Z\.txt", name)
        (message,) = gammu.messages()
        assert message == {"to": NUMBER, "unicode": False, "text":
                           f"{CODE} is your login code for {HOST}. Good for 2 minutes. "
                           "Nobody will ask you for it."}


def test_smstools_sends_the_code(smsd, directory):
    with peer_of(Smstools, directory) as smstools:
        smsd.configure(smstools.preset())
        smsd.start()
        assert smsd.outcome(id="abc-1_Z")["outcome"] == ACCEPTED
        assert smstools.sent() == ["magotp-abc-1_Z"]
        (pdu,) = smstools.pdus()
        number, coding, validity, text = decode(pdu)
        assert (number, coding) == (NUMBER[1:], 0)
        assert validity == 0  # five minutes: the shortest that a network knows
        assert text == (f"{CODE} is your login code for {HOST}. Good for 2 minutes. "
                        "Nobody will ask you for it.")


def test_what_gsm7_does_not_hold_arrives_whole(smsd, peer):
    with peer:
        smsd.configure(peer.preset())
        smsd.start()
        assert smsd.outcome(template="", code="", text=ODD)["outcome"] == ACCEPTED
        peer.sent()
        if isinstance(peer, Gammu):
            (message,) = peer.messages()
            # Its own log writes characters beyond the first plane in its own way.
            assert message["unicode"] and message["text"].split("😀")[0] in ODD
            assert message["text"].startswith("Zürich: 483920 日本 ")
        else:
            assert decode(peer.pdus()[0])[3] == ODD


def test_file_is_there_whole_or_not_at_all(smsd, peer):
    """Nobody reads: what lies there is what a reader would find at any moment."""
    seen = set()
    smsd.configure(peer.preset())
    smsd.start()
    pending = [smsd.later(id=f"w{i}") for i in range(40)]
    while not all(p.done() for p in pending):
        for file in peer.outgoing.iterdir():
            if not file.name.startswith("."):
                seen.add((file.name, file.stat().st_size))
    assert {p.result()["outcome"] for p in pending} == {ACCEPTED}
    files = {f.name: f.stat().st_size for f in peer.outgoing.iterdir()}
    assert len(files) == 40 and all(files[name] == size for name, size in seen)
    assert not any(name.startswith(".") for name in files)


def test_file_is_written_through_before_it_is_named(smsd, peer, directory):
    """fsync of the file, then its name, then fsync of the directory."""
    trace = directory / "trace"
    smsd.wrapper = ["strace", "-D", "-f", "-qq", "-o", str(trace), "-e",
                    "trace=openat,fsync,renameat,renameat2"]
    smsd.configure(peer.preset(), sandbox="no")
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    calls = re.findall(r"^\d+ +(fsync|renameat2?)\(", trace.read_text(), re.M)
    assert [c.rstrip("2") for c in calls] == ["fsync", "renameat", "fsync"]


def test_group_gets_what_it_has_in_the_directory(smsd, peer):
    smsd.configure(peer.preset())
    smsd.start()
    for mode, wanted in ((0o700, 0o600), (0o750, 0o640), (0o2770, 0o660)):
        peer.outgoing.chmod(mode)
        assert smsd.outcome()["outcome"] == ACCEPTED
        newest = max(peer.outgoing.iterdir(), key=lambda f: f.stat().st_mtime_ns)
        assert stat.S_IMODE(newest.stat().st_mode) == wanted


def test_readers_leave_unfinished_files_alone(peer):
    (peer.outgoing / ".OUTA+12025550134.txt.new").write_text("To: 12025550134\n\nhalf")
    with peer:
        time.sleep(3)
        assert [f.name for f in peer.outgoing.iterdir()] == [".OUTA+12025550134.txt.new"]
        assert not list((peer.directory / "sent").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to own the spool")
def test_spool_that_is_not_ours_is_said_at_once_and_the_next_gateway_sends(smsd, peer):
    os.chown(peer.outgoing, 0, 0)
    smsd.configure(peer.preset())
    smsd.start()
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT and "Permission denied" in reply["error"]
    smsd.configure(peer.preset(), smsd.outbox_gateway(priority=20))
    smsd.reload()
    assert smsd.outcome()["gateway"] == "outbox"


def test_full_disk_is_tried_again_and_leaves_nothing_behind(smsd, peer, directory):
    trace = directory / "trace"
    smsd.wrapper = ["strace", "-D", "-f", "-qq", "-o", str(trace), "-e", "trace=fsync",
                    "-e", "inject=fsync:error=ENOSPC"]
    smsd.configure(peer.preset(), sandbox="no")
    smsd.start()
    reply = smsd.outcome(expires_at=int(time.time()) + 2)
    assert reply["outcome"] == EXPIRED and "No space left" in reply["error"]
    assert list(peer.outgoing.iterdir()) == []


def test_urgent_ones_come_first_by_name(smsd, directory):
    gammu = peer_of(Gammu, directory)
    smsd.configure(gammu.preset())
    smsd.start()
    for priority in (2, 0, 1):
        smsd.outcome(id=f"p{priority}", priority=priority)
    wait_for("the files", lambda: len(list(gammu.outgoing.iterdir())) == 3)
    names = sorted(f.name for f in gammu.outgoing.iterdir())
    assert [n.rsplit("_", 1)[1] for n in names] == ["p0.txt", "p1.txt", "p2.txt"]


@pytest.mark.parametrize("line, complaint", [
    ("format = playsms", "playsms"), ("directory = spool", "absolute"),
    ("channels = voice", "voice"), ("url = https://a.example/", "url")])
def test_faulty_settings(smsd, line, complaint):
    smsd.configure(f"[gateway a]\ndriver = spool\n{line}\n")
    done = smsd.check()
    assert done.returncode == 1 and complaint in done.stderr
