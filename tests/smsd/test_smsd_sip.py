"""The sip driver: real calls to a real baresip that records what it hears, and to sipp.

All calls of one evening are made at the same time, each by a gateway of its own (told apart
by the country of the number), because a call takes as long as it takes to speak."""

import contextlib
import os
import pathlib
import pwd
import re
import time
import types

import pytest

import sip
import smsd as smsd_module
from house import build_dir
from memory import family, mappings, needs_locking, swappable
from peers import wait_for
from smsd import ACCEPTED, AMBIGUOUS, CODE, PERMANENT

SPOKEN = ["intro", *CODE, "again", *CODE, "bye"]
PASSWORD = "canary-password-77"

# name: (country, number, settings of its gateway); who answers
PHONES = {
    "keys": ("US", "+12025550134", {"key_wait": "10s", "timeout": "30s"}),
    "voicemail": ("GB", "+447400123456", {}),
    "no key": ("DE", "+4915123456789", {"press_a_key": "no", "repeats": 3, "pause_ms": 100}),
    "impatient": ("FR", "+33612345678", {"pause_ms": 500, "key_wait": "10s", "timeout": "30s"}),
}
# and who does not: name: (country, number, sipp's answer and how else it is)
REFUSERS = {
    "busy": ("ES", "+34612345678", ("486 Busy Here", PASSWORD)),  # to who knows the password
    "declined": ("JP", "+819012345678", ("603 Decline", "", "INVITE", "tcp")),
    "no such number": ("NL", "+31612345678", ("404 Not Found",)),
    "no answer": ("SE", "+46701234567", ("180 Ringing",)),
    "refuses the account": ("CH", "+41781234567", ("403 Forbidden", "", "REGISTER")),
    "cannot place the call": ("AT", "+43664123456", ("503 Service Unavailable",)),
    "does not answer": ("DK", "+4532123456", ("",)),
}


def parent(status):
    return int(re.search(r"PPid:\t(\d+)", status).group(1))


def calls_under_way():
    """{pid: (name, arguments, environment, status, network namespace)} of sip-call and of the
    baresips that it started."""
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, status = (place / "comm").read_text().strip(), (place / "status").read_text()
            if name == "baresip":
                above = pathlib.Path(f"/proc/{parent(status)}/comm").read_text().strip()
            if name == "sip-call" or name == "baresip" and above == "sip-call":
                found[int(place.name)] = (name, (place / "cmdline").read_bytes(),
                                          (place / "environ").read_bytes(), status,
                                          os.stat(place / "ns/net").st_ino)
        except OSError:
            continue
    return found


def look_into_memory(daemon, calls):
    """({(of a call, word)} in memory that can be swapped out, {file in memory: is it locked}) of
    all of ours."""
    words, files = set(), {}
    calls = [pid for pid, (name, *_) in calls.items() if name == "sip-call"]
    for pid in [*calls, *(p for p in family(daemon.process.pid) if p not in calls)]:
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "baresip":
                continue  # is nobody's of ours
            files.update({name.split(":")[1].split()[0]: "lo" in flags
                          for *_, name, flags in mappings(pid) if name.startswith("/memfd:")})
            words |= {(pid in calls, word) for _, data in swappable(pid)
                      for word in (PASSWORD, CODE) if word.encode() in data}
        except (FileNotFoundError, ProcessLookupError):
            continue  # its call is over
    return words, files


def leftovers():
    return set(pathlib.Path("/tmp").glob("magotp-sip-*"))


@pytest.fixture(scope="module")
def network():
    with sip.Network() as made:
        yield made


@pytest.fixture
def gateway(directory):
    """gateway(peer) is a section that calls it."""
    voice = sip.make_voice(directory / "voice", ("en", "de"))
    made = sip.install_program(directory)
    return lambda peer, **values: peer.gateway(**{"voice": voice, "program": made, **values})


def place_calls(daemon, phones, seen):
    """{name: reply} of all calls; what could be seen from outside is in `seen`."""
    replies = {name: daemon.later(channel="voice", to=number, language="de" if name == "no key" else "")
               for name, (_, number, _) in {**PHONES, **REFUSERS}.items()}
    for name in ("keys", "impatient"):
        phones[name].wait_call()
    # Each is read and gone while its call lasts.
    wait_for("the configurations to be gone", lambda: not leftovers() - seen.before, 5)
    seen.asking = calls_under_way()
    time.sleep(1)  # prompts are heard first
    phones["keys"].press()
    phones["impatient"].press()
    time.sleep(1.5)
    seen.speaking = calls_under_way()
    phones["impatient"].command("hangup")
    seen.memory = look_into_memory(daemon, seen.speaking)
    return {name: reply.result(60) for name, reply in replies.items()}


@pytest.fixture(scope="module")
def evening(network):
    directory = smsd_module.new_directory()
    daemon = smsd_module.Smsd(directory)
    (directory / "password").write_text(PASSWORD + "\n")
    values = {"voice": sip.make_voice(directory / "voice", ("en", "de")),
              "program": sip.install_program(directory), "password": f"file:{directory}/password"}
    seen = types.SimpleNamespace(network=network, directory=directory, daemon=daemon,
                                 before=leftovers())
    phones = {name: sip.Phone(directory, network, number) for name, (_, number, _) in PHONES.items()}
    refusers = {name: sip.Refuser(directory, network, *how) for name, (_, _, how) in REFUSERS.items()}
    sections = [phones[name].gateway(name, countries=country, **{**values, **more})
                for name, (country, _, more) in PHONES.items()]
    sections += [refusers[name].gateway(name, countries=country, ring="2s", **values)
                 for name, (country, _, _) in REFUSERS.items()]
    daemon.configure(*sections, daemon.outbox_gateway(priority=20, countries="CH AT DK"),
                     allowed_countries="*")
    try:
        for peer in (*phones.values(), *refusers.values()):
            peer.start()
        daemon.start()
        seen.phones, seen.refusers = phones, refusers
        seen.replies = place_calls(daemon, phones, seen)
        yield seen
    finally:
        daemon.stop()
        print(daemon.log())
        daemon.pool.shutdown(wait=True)
        for peer in (*phones.values(), *refusers.values()):
            peer.stop()
        smsd_module.remove_directory(directory)


def test_code_is_spoken_twice_after_a_key(evening):
    assert evening.replies["keys"]["outcome"] == ACCEPTED
    heard = evening.phones["keys"].heard()
    assert heard[0] == "press" and heard[-len(SPOKEN):] == SPOKEN
    assert sip.codes(heard) == [CODE, CODE]


def test_speech_has_the_right_length(evening):
    """Digits times repeats bursts, each as long as its piece, with its pause behind it."""
    assert evening.replies["no key"]["outcome"] == ACCEPTED
    bursts = sip.bursts(evening.phones["no key"].recording())
    assert len(bursts) == 3 * (1 + len(CODE)) + 1
    assert all(0.08 <= (b - a) * 0.02 <= 0.18 for a, b in bursts)
    assert {round((c - b) * 0.02, 1) for (_, b), (c, _) in zip(bursts[1:6], bursts[2:7])} == {0.1}
    speech = 3 * ((1 + len(CODE)) * sip.TONE + len(CODE) * 0.1 + 2 * 0.15) + sip.TONE
    assert abs((bursts[-1][1] - bursts[0][0]) * 0.02 - speech) < 0.3


def test_language_of_the_account_is_spoken(evening):
    """German is every tone 50 Hz lower here."""
    phone = evening.phones["no key"]
    assert phone.heard(lower=50) == ["intro", *CODE, "again", *CODE, "again", *CODE, "bye"]
    samples = phone.recording()
    first, last = sip.bursts(samples)[0]
    block = samples[first * sip.BLOCK:last * sip.BLOCK]
    assert sip.power(block, sip.PITCH["intro"] - 50) > 4 * sip.power(block, sip.PITCH["intro"])


def test_without_a_key_no_code_is_spoken(evening):
    """Voicemail presses none: nothing follows the prompts, and nothing counts as sent."""
    reply = evening.replies["voicemail"]
    assert reply["outcome"] == PERMANENT and "no key was pressed" in reply["error"]
    assert set(evening.phones["voicemail"].heard()) == {"press"}


def test_hanging_up_before_the_code_is_not_sent(evening):
    reply = evening.replies["impatient"]
    assert reply["outcome"] == PERMANENT and "hung up" in reply["error"]
    assert len("".join(sip.codes(evening.phones["impatient"].heard()))) < len(CODE)


@pytest.mark.parametrize("name", [*REFUSERS][:4])
def test_who_does_not_take_the_call(evening, name):
    reply = evening.replies[name]
    assert (reply["outcome"], reply["gateway"]) == (PERMANENT, name) and name in reply["error"]


@pytest.mark.parametrize("name", [*REFUSERS][4:])
def test_server_that_fails_hands_over_to_the_next_gateway(evening, name):
    reply = evening.replies[name]
    assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "outbox")
    assert re.search(rf"by {name} \(voice\): not sent: .*{name}", evening.daemon.log())


def test_threat_20_code_and_password_are_in_no_argument_environment_file_or_log(evening):
    for seen in (evening.asking, evening.speaking):
        assert {"sip-call", "baresip"} == {name for name, *_ in seen.values()}
        for _, arguments, environment, *_ in seen.values():
            for secret in (CODE.encode(), PASSWORD.encode()):
                assert secret not in arguments and secret not in environment
    for file in evening.directory.rglob("*"):
        ours = {"password", "scenario.xml"}  # what the test itself has written
        if file.is_file() and file.name not in ours and evening.daemon.outbox not in file.parents:
            for secret in (CODE.encode(), PASSWORD.encode()):
                assert secret not in file.read_bytes(), file
    for _, number, _ in {**PHONES, **REFUSERS}.values():
        assert number not in evening.daemon.log()


@needs_locking
def test_threat_20_code_and_password_of_calls_are_in_locked_memory(evening):
    words, files = evening.memory
    assert words == set()
    # What baresip reads. The first prompt is no secret.
    assert files == {"account": True, "code": True}


def test_threat_20_calls_have_a_user_and_a_network_of_their_own(evening):
    for _, _, _, status, network in evening.speaking.values():
        assert "NoNewPrivs:\t1" in status
        if os.geteuid() == 0:
            user = pwd.getpwnam("daemon")
            assert f"Uid:\t{user.pw_uid}\t{user.pw_uid}\t{user.pw_uid}" in status
            assert re.search(r"Groups:\t *\n", status) and "CapPrm:\t0000000000000000" in status
        if not evening.network.reason:
            assert network == os.stat(f"/run/netns/{evening.network.name}").st_ino
            assert network != os.stat("/proc/self/ns/net").st_ino
    if evening.network.reason:
        pytest.skip(f"no network namespace here: {evening.network.reason}")


def test_telephone_stops_ringing(evening):
    """sipp has ended well: what it waited for was the CANCEL."""
    assert evening.refusers["no answer"].process.wait(10) == 0


def test_nothing_is_left_of_calls(evening):
    wait_for("the end of all calls", lambda: not calls_under_way())
    assert leftovers() <= evening.before


def control_port(pid):
    """Where a baresip listens for commands: (address, port) beyond 127.0.0.1."""
    sockets = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(fd))
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        address, port = words[1].split(":")
        octets = tuple(bytes.fromhex(address)[::-1])
        if f"socket:[{words[9]}]" in sockets and words[3] == "0A" and octets != (127, 0, 0, 1):
            return ".".join(map(str, octets)), int(port, 16)
    return None


def test_threat_20_who_takes_the_control_of_a_call_gets_no_code(smsd, directory, network, gateway):
    """A program on the same loopback may speak to baresip, too. Then the call ends."""
    with sip.Phone(directory, network) as phone:
        smsd.configure(gateway(phone), smsd.outbox_gateway(priority=20))
        smsd.start()
        reply = smsd.later(channel="voice")
        phone.wait_call()
        (pid,) = [p for p, (name, *_) in calls_under_way().items() if name == "baresip"]
        assert "memfd:code" in os.readlink(f"/proc/{pid}/fd/4")
        assert os.stat(f"/proc/{pid}/fd/4").st_size == 0  # nobody has pressed a key
        thief = network.connect(control_port(pid))
        phone.press()
        assert reply.result(30)["gateway"] == "outbox"
        assert "not sent: baresip does not run or does not answer" in smsd.log()
        thief.close()
        assert set(phone.heard()) <= {"press"}


def test_speech_that_was_built_is_speech():
    """Every piece of every language: not silent, neither a click nor a story, none like another."""
    place = pathlib.Path(build_dir(), "conf/speech")
    if not place.exists():
        pytest.skip("built without espeak-ng or sox")
    assert {p.name for p in place.iterdir()} == {"de", "en", "es", "fr", "ja"}
    for language in place.iterdir():
        pieces = {p.stem: sip.read_wav(p) for p in language.glob("*.wav")}
        assert set(pieces) == set(sip.PITCH), language
        assert len({p.tobytes() for p in pieces.values()}) == len(pieces)
        for name, samples in pieces.items():
            seconds = len(samples) / sip.RATE
            assert 0.15 < seconds < (1.2 if name.isdigit() else 8), (language, name, seconds)
            assert max(samples) > 5000 and sum(map(abs, samples)) / len(samples) > 300


@pytest.mark.skipif(not os.environ.get("MAGOTP_LONG"), reason="takes 15 seconds: MAGOTP_LONG=1")
def test_deadline_ends_a_call_that_speaks_too_long(smsd, directory, network, gateway):
    phone = sip.Phone(directory, network)
    smsd.configure(gateway(phone, key_wait="5s", ring="2s", timeout="17s", pause_ms=2000))
    smsd.start()
    with phone:
        reply = smsd.later(channel="voice")
        phone.wait_call()
        phone.press()
        assert reply.result(40)["outcome"] in (ACCEPTED, AMBIGUOUS)
        phone.wait_end()


@pytest.mark.parametrize("values, words", [
    ({"voice": "/nowhere"}, "voice: .*cannot be read"),
    ({"baresip": "/nowhere/baresip"}, "baresip-core"),
    ({"timeout": "6s"}, "timeout: must be 17s"),
    ({"username": "a;b"}, "username: has a character"),
    ({"server": ""}, "server: is missing"),
    ({"netns": "../x"}, "netns: "),
    ({"channels": "sms"}, "no channel")])
def test_settings_are_checked_when_they_are_read(smsd, directory, network, gateway, values, words):
    smsd.configure(gateway(sip.Peer(directory, network), **values))
    done = smsd.check()
    assert done.returncode == 1 and re.search(words, done.stderr), done.stderr


def test_missing_piece_of_speech_is_named(smsd, directory, network, gateway):
    section = gateway(sip.Peer(directory, network))
    (directory / "voice/de/7.wav").unlink()
    smsd.configure(section)
    done = smsd.check()
    assert done.returncode == 1 and "de/7.wav is not there" in done.stderr


def test_threat_25_another_network_or_user_needs_a_restart(smsd, directory, network, gateway):
    """After a change nobody is called from where it was before."""
    peer = sip.Peer(directory, network)
    smsd.configure(gateway(peer))
    smsd.start()
    for more in ({"run_as": "nobody"}, {"netns": "elsewhere"}, {"baresip": "/bin/true"}):
        smsd.configure(gateway(peer, **more))
        smsd.reload()
        reply = smsd.outcome(channel="voice")
        assert reply["outcome"] == PERMANENT and "restart" in reply["error"]


def test_call_needs_the_network_that_was_set_up(smsd, directory, network, gateway):
    """Without the namespace there are no calls, and no calls from elsewhere."""
    smsd.configure(gateway(sip.Peer(directory, network), netns="magotp-nowhere"))
    with pytest.raises(AssertionError, match="netns: /run/netns/magotp-nowhere: No such file"):
        smsd.start()
    smsd.process = None
