"""The daemon itself: socket, gate, outbox, priorities, reload, drain."""

import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import time

import pytest

import wirepy
from peers import HttpPeer, wait_for
from smsd import (ACCEPTED, AMBIGUOUS, CODE, EXPIRED, HOST, NUMBER, PERMANENT, RETRYABLE, program)

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for other uids")


class Slow(HttpPeer):
    """Takes everything, but only when it is let."""

    def answer(self, request):
        return 200, "{}"

    def gateway(self, name="slow", **values):
        lines = {"driver": "http", "url": f"{self.url}/send", "encode": "json", "timeout": "20s",
                 "field.to": "{to}", "field.id": "{id}", "field.code": "{code}", **values}
        return f"[gateway {name}]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items())

    def ids(self):
        return [json.loads(r.body)["id"] for r in self.requests]


@pytest.fixture
def slow(directory):
    with Slow(directory) as peer:
        yield peer


@pytest.fixture
def outbox(smsd):
    smsd.configure(smsd.outbox_gateway())
    return smsd.start()


def test_outbox_holds_one_file_per_message(outbox):
    reply = outbox.outcome(id="abc-1_Z")
    assert (reply["outcome"], reply["gateway"], reply["error"]) == (ACCEPTED, "outbox", "")
    assert os.listdir(outbox.outbox) == ["abc-1_Z.json"]
    (message,) = outbox.outbox_messages()
    assert set(message) == {"to", "channel", "text", "sent_at"}
    assert message["text"].startswith(f"{CODE} is your login code for {HOST}.")
    mode = stat.S_IMODE((outbox.outbox / "abc-1_Z.json").stat().st_mode)
    assert mode == 0o640  # the group may read the directory, so it may read this


def test_outbox_of_a_closed_directory_is_closed(outbox):
    outbox.outbox.chmod(0o700)
    outbox.outcome(id="x")
    assert stat.S_IMODE((outbox.outbox / "x.json").stat().st_mode) == 0o600


def test_outbox_that_cannot_be_written_is_not_sent(smsd):
    smsd.configure(smsd.outbox_gateway(), smsd.outbox_gateway("second", priority=20,
                                                              ).replace("/outbox\n", "/none\n"))
    os.chmod(smsd.outbox, 0o500)
    smsd.start()
    reply = smsd.outcome()  # at once: waiting mends no directory
    if os.geteuid() == 0:
        assert smsd.gateways()["outbox"]["last_error"] == f"{smsd.outbox}: Permission denied"
    missing = f"{smsd.directory}/none: No such file or directory"
    assert smsd.gateways()["second"]["last_error"] == missing
    assert reply["outcome"] == PERMANENT and reply["error"] == missing
    assert smsd.outbox_messages() == []


def test_P10_outbox_call_speaks_twice(outbox):
    outbox.outcome(channel="voice")
    (message,) = outbox.outbox_messages()
    assert message["channel"] == "voice"
    assert message["text"].count("4. 8. 3. 9. 2. 0.") == 2


def test_P7_test_message_needs_no_code(outbox):
    assert outbox.outcome(template="test", code="", priority=2)["outcome"] == ACCEPTED
    assert "test message" in outbox.outbox_messages()[0]["text"]


def test_same_id_is_the_same_message(outbox):
    first, again = outbox.outcome(id="same"), outbox.outcome(id="same")
    assert first == again
    assert outbox.gateways()["outbox"]["accepted"] == 1


def test_same_id_while_it_waits_gets_the_same_answer(smsd, slow):
    smsd.configure(slow.gateway())
    smsd.start()
    slow.hang.set()
    both = [smsd.later(id="same"), smsd.later(id="same")]
    wait_for("the request", lambda: slow.requests)
    time.sleep(0.1)
    slow.hang.clear()
    assert [b.result(20)["outcome"] for b in both] == [ACCEPTED, ACCEPTED]
    assert slow.ids() == ["same"]


def test_same_id_to_somebody_else_is_refused(outbox):
    outbox.outcome(id="same")
    assert outbox.submit(id="same", to="+12025550199")[0].error == "CONFLICT"


def test_expired_message_is_never_sent(outbox):
    assert outbox.outcome(expires_at=int(time.time()) - 1)["outcome"] == EXPIRED
    assert outbox.outbox_messages() == []


@pytest.mark.parametrize("fields", [
    {"id": "../../etc/x"}, {"id": ""}, {"id": ".hidden"}, {"to": "2025550134"},
    {"to": "+1202555013a"}, {"to": "+0202555013"}, {"channel": "pigeon"}, {"priority": 9},
    {"code": "12x456"}, {"text": "both"}, {"template": "", "code": ""},
    {"channel": "email", "to": NUMBER}, {"channel": "email", "to": "a@b@c"},
])
def test_malformed_messages_are_refused(outbox, fields):
    result, _ = outbox.submit(**fields)
    assert result.error == "INVAL" and result.detail
    assert outbox.outbox_messages() == []


def test_unknown_template_and_missing_code_are_final(outbox):
    assert outbox.outcome(template="nonsense")["outcome"] == PERMANENT
    assert outbox.outcome(template="code", code="")["outcome"] == PERMANENT


def test_threat_18_other_countries_and_premium_numbers_get_nothing(outbox):
    for number in ("+442079460000", "+18765550100", "+19005550100", "+8835100000001"):
        reply = outbox.outcome(to=number)
        assert reply["outcome"] == PERMANENT and number[3:] not in reply["error"]
    assert outbox.outbox_messages() == []


def test_threat_18_a_spent_budget_stops_everything(smsd):
    smsd.configure(smsd.outbox_gateway(), budget_hour=3)
    smsd.start()
    outcomes = [smsd.outcome()["outcome"] for _ in range(5)]
    assert outcomes == [ACCEPTED] * 3 + [PERMANENT] * 2
    assert len(smsd.outbox_messages()) == 3
    smsd.reload()  # what was spent stays spent
    assert smsd.outcome()["outcome"] == PERMANENT


def test_threat_18_each_number_block_and_country_has_its_budget(smsd):
    smsd.configure(smsd.outbox_gateway(), number_hour=2, prefix_day=3, country_hour=4,
                   allowed_countries="US CA")
    smsd.start()
    numbers = ["+12025550134"] * 3 + ["+12025550135", "+12025550136", "+12035550134",
                                      "+12045550134", "+12075550134"]
    replies = [smsd.outcome(to=n) for n in numbers]
    said = [r["error"] if r["outcome"] == PERMANENT else r["outcome"] for r in replies]
    spent = "the budget for this {} is spent"
    assert said == [ACCEPTED, ACCEPTED, spent.format("number"), ACCEPTED,
                    spent.format("block of numbers"), ACCEPTED, ACCEPTED, spent.format("country")]
    assert len(smsd.outbox_messages()) == 5
    limits = smsd.limits()
    assert limits["country US"]["hour_used"] == 4 and limits["country CA"]["hour_used"] == 1
    assert [limits[n]["refused"] for n in ("all", "number", "prefix")] == [0, 1, 1]
    # What was spent stays spent over a reload.
    smsd.reload()
    assert smsd.outcome(to="+12025550134")["outcome"] == PERMANENT


def test_threat_18_failed_attempts_cost_nothing(smsd, slow):
    smsd.configure(slow.gateway(), number_hour=1)
    slow.stop()
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 2)["outcome"] == EXPIRED
    assert smsd.limits()["number"]["hour_used"] == 0


def test_gateways_by_priority_channel_and_country(smsd):
    smsd.configure(smsd.outbox_gateway("last", priority=30), smsd.outbox_gateway("first", priority=5,
                   channels="sms"), smsd.outbox_gateway("british", "sms",
                   priority=1, countries="GB"),
                   allowed_countries="US GB")
    smsd.start()
    assert smsd.outcome()["gateway"] == "first"
    assert smsd.outcome(channel="voice")["gateway"] == "last"
    assert smsd.outcome(to="+442079460000")["gateway"] == "british"
    assert smsd.outcome(channel="email", to="a@example.org", template="", code="",
                        text="hello")["gateway"] == "last"


def test_gateway_that_fails_again_and_again_rests(smsd, slow):
    smsd.configure(slow.gateway(priority=1, channels="sms voice"), smsd.outbox_gateway(priority=2))
    slow.stop()
    smsd.start()
    for _ in range(3):
        assert smsd.outcome()["gateway"] == "outbox"
    assert smsd.gateways()["slow"]["failed"] == 3
    assert smsd.outcome()["gateway"] == "outbox"
    assert smsd.gateways()["slow"]["failed"] == 3  # not asked: it rests
    assert smsd.gateways()["slow"]["last_error"] != ""
    assert smsd.gateways()["slow"]["resting"] == "sms"
    assert smsd.gateways()["outbox"]["resting"] == ""
    # Its calls are another matter.
    assert smsd.outcome(channel="voice")["gateway"] == "outbox"
    assert smsd.gateways()["slow"]["failed"] == 4


def test_gateway_that_is_down_costs_less_than_three_seconds(smsd, slow):
    """Refused, and worse: a host that says nothing at all to who connects."""
    smsd.configure(slow.gateway(priority=1), smsd.outbox_gateway(priority=2))
    smsd.start()
    slow.stop()
    start = time.monotonic()
    assert smsd.outcome()["gateway"] == "outbox"
    assert time.monotonic() - start < 1
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        full = [socket.socket() for _ in range(3)]  # its backlog: nobody else gets in
        for s in full:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
        smsd.configure(slow.gateway(priority=1, url=f"http://127.0.0.1:{port}/"),
                       smsd.outbox_gateway(priority=2))
        smsd.reload()
        start = time.monotonic()
        assert smsd.outcome()["gateway"] == "outbox"
        assert 1.5 < time.monotonic() - start < 3
        assert "not sent" in smsd.log().splitlines()[-2]
        for s in full:
            s.close()


def test_login_codes_go_before_tests(smsd, slow):
    smsd.configure(slow.gateway(), parallel=1)
    smsd.start()
    slow.hang.set()
    pending = [smsd.later(id="running")]
    wait_for("the first request", lambda: slow.ids() == ["running"])
    for id, priority in (("test", 2), ("mail", 3), ("registration", 1), ("login", 0)):
        pending.append(smsd.later(id=id, priority=priority))
        time.sleep(0.05)
    slow.hang.clear()
    assert [p.result(20)["outcome"] for p in pending] == [ACCEPTED] * 5
    assert slow.ids() == ["running", "login", "registration", "test", "mail"]


def test_client_that_leaves_does_not_stop_its_message(smsd, slow):
    smsd.configure(slow.gateway())
    smsd.start()
    slow.hang.set()
    frame = wirepy.encode_request("submit", {
        "id": "left", "to": NUMBER, "channel": "sms", "template": "code", "code": CODE,
        "expires_at": int(time.time()) + 60})
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(smsd.socket)
        s.send(frame)
        wait_for("the request", lambda: slow.requests)
    slow.hang.clear()
    wait_for("the end", lambda: smsd.gateways()["slow"]["accepted"] == 1)
    assert smsd.outcome(id="left")["outcome"] == ACCEPTED
    assert slow.ids() == ["left"]


@root_only
def test_threat_01_only_root_and_the_broker_may_speak(outbox):
    os.chmod(outbox.socket, 0o666)  # the gate alone, without the file's mode
    nobody, games = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("games").pw_uid
    for uid in (nobody, games):
        with pytest.raises(OSError):
            wirepy.call(outbox.socket, "gateway_list", {}, uid=uid)
    assert "may not hand messages over" in outbox.log()
    outbox.configure(outbox.outbox_gateway())
    outbox.config.write_text(outbox.config.read_text().replace("clients = 0", "clients = games"))
    outbox.reload()
    result, _ = wirepy.call(outbox.socket, "gateway_list", {}, uid=games)
    assert result.error == ""
    with pytest.raises(OSError):
        wirepy.call(outbox.socket, "gateway_list", {}, uid=nobody)


@root_only
def test_privileges_are_dropped_and_the_socket_is_0660(outbox):
    status = open(f"/proc/{outbox.process.pid}/status").read()
    uid = pwd.getpwnam("nobody").pw_uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert "Groups:\t\n" in status.replace("Groups:\t \n", "Groups:\t\n")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert stat.S_IMODE(os.stat(outbox.socket).st_mode) == 0o660


def test_garbage_on_the_socket_is_answered_or_dropped(outbox):
    for frame in (b"x", b"\0" * 100, b"\xff" * 60000, wirepy.encode_request("gateway_list", {}) + b"x"):
        wirepy.raw(outbox.socket, frame)
    for message in ("begin", "ping"):
        result, _ = wirepy.call(outbox.socket, message, {})
        assert result.error == "UNSUPPORTED"
    assert outbox.outcome()["outcome"] == ACCEPTED


def test_reload_takes_new_gateways_and_keeps_the_old_on_a_mistake(outbox):
    outbox.outcome()
    outbox.configure(outbox.outbox_gateway("fresh", priority=1), outbox.outbox_gateway())
    outbox.reload()
    assert outbox.outcome()["gateway"] == "fresh"
    assert outbox.gateways()["outbox"]["accepted"] == 1  # counted on
    outbox.configure("[gateway broken]\ndriver = nonsense\n")
    outbox.reload()
    assert "the old ones stay" in outbox.log()
    assert outbox.outcome()["gateway"] == "fresh"


def test_threat_25_outbox_that_is_new_after_the_start_needs_a_restart(smsd, slow):
    import ctypes
    if ctypes.CDLL(None).syscall(444, None, 0, 1) <= 0:  # landlock_create_ruleset: its version
        pytest.skip("this kernel has no Landlock")
    smsd.configure(slow.gateway())
    smsd.start()
    if "Seccomp:\t2" not in open(f"/proc/{smsd.process.pid}/status").read():
        pytest.skip("built without a sandbox")
    smsd.configure(smsd.outbox_gateway())
    smsd.reload()
    assert f"{smsd.outbox}: out of reach until a restart" in smsd.log()
    assert smsd.outcome()["outcome"] == PERMANENT
    smsd.stop()
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED


def test_reload_while_a_message_is_on_its_way(smsd, slow):
    smsd.configure(slow.gateway(), smsd.outbox_gateway(channels="email"))
    smsd.start()
    slow.hang.set()
    pending = smsd.later()
    wait_for("the request", lambda: slow.requests)
    smsd.configure(smsd.outbox_gateway())
    smsd.reload()
    slow.hang.clear()
    assert pending.result(20)["gateway"] == "slow"
    assert smsd.outcome()["gateway"] == "outbox"


def test_full_queue_refuses_at_once(smsd, slow):
    slow.hang.set()
    smsd.configure(slow.gateway(), max_waiting=2, parallel=1)
    smsd.start()
    waiting = [smsd.later(), smsd.later()]
    wait_for("the queue", lambda: wirepy.call(smsd.socket, "gateway_list", {})[1]["queued"] == 2)
    start = time.monotonic()
    result, _ = smsd.submit()
    assert result.error == "BUSY" and time.monotonic() - start < 1
    slow.hang.clear()
    assert [w.result(20)["outcome"] for w in waiting] == [ACCEPTED] * 2
    assert smsd.outcome()["outcome"] == ACCEPTED


def test_drain_lets_messages_end(smsd, slow):
    smsd.configure(slow.gateway())
    smsd.start()
    slow.hang.set()
    pending = smsd.later()
    wait_for("the request", lambda: slow.requests)
    smsd.send_signal(signal.SIGTERM)
    wait_for("the closed socket", lambda: refused(smsd.socket))
    slow.hang.clear()
    assert pending.result(20)["outcome"] == ACCEPTED
    assert smsd.stop() == 0


def test_drain_ends_and_says_that_it_is_unclear(smsd, slow):
    smsd.configure(slow.gateway(), drain="1s", parallel=1)
    smsd.start()
    slow.hang.set()
    pending = smsd.later()
    wait_for("the request", lambda: slow.requests)
    waiting = smsd.later()
    wait_for("both", lambda: smsd.gateways()["slow"]["waiting"] == 1)
    time.sleep(0.2)
    start = time.monotonic()
    assert smsd.stop() == 0
    assert time.monotonic() - start < 4
    assert pending.result(20)["outcome"] == AMBIGUOUS
    assert waiting.result(20)["outcome"] == RETRYABLE


def refused(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        try:
            s.connect(path)
        except OSError:
            return True
    return False


def test_stale_socket_is_replaced_a_living_one_is_not(outbox):
    second = subprocess.run([program(), "--foreground", "--config", str(outbox.config)], text=True,
                            capture_output=True, timeout=30)
    assert second.returncode == 1 and "another magotp-smsd is running" in second.stderr
    assert outbox.outcome()["outcome"] == ACCEPTED
    outbox.stop(signal.SIGKILL)
    assert os.path.exists(outbox.socket)
    outbox.start()
    wait_for("the new one", lambda: not refused(outbox.socket))
    assert outbox.outcome()["outcome"] == ACCEPTED


def test_background_answers_only_when_it_serves(smsd):
    smsd.configure(smsd.outbox_gateway())
    done = subprocess.run([program(), "--config", str(smsd.config)], timeout=30)
    assert done.returncode == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(smsd.socket)
        # The listener's credentials are those of the moment of listen: the start.
        pid = int.from_bytes(s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
    try:
        assert smsd.outcome()["outcome"] == ACCEPTED
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for("the end", lambda: refused(smsd.socket))
    smsd.config.write_text("[smsd]\nnonsense = 1\n")
    broken = subprocess.run([program(), "--config", str(smsd.config)], text=True,
                            capture_output=True, timeout=30)
    assert broken.returncode == 1
    assert "nonsense" in broken.stderr


def test_background_lets_go_of_the_terminal(smsd):
    """A script that reads what the start says must not wait for the daemon's end."""
    smsd.configure(smsd.outbox_gateway())
    done = subprocess.run([program(), "--config", str(smsd.config)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=30)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(smsd.socket)
        pid = int.from_bytes(s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
    os.kill(pid, signal.SIGTERM)
    assert done.returncode == 0, done.stdout
    wait_for("the end", lambda: refused(smsd.socket))


def test_command_line():
    def run(*args):
        return subprocess.run([program(), *args], text=True, capture_output=True, timeout=30)

    help_text = run("--help")
    assert help_text.returncode == 0 and help_text.stdout.startswith("Examples:")
    assert run("--version").stdout.startswith("magotp-smsd ")
    assert run("--nonsense").returncode == 2
    assert run("extra").returncode == 2
    missing = run("-t", "--config", "/nonexistent/smsd.conf")
    assert missing.returncode == 1 and "/nonexistent/smsd.conf" in missing.stderr


def test_no_gateway_at_all_is_said(smsd):
    smsd.configure()
    done = smsd.check()
    assert done.returncode == 0 and "nothing can be sent" in done.stdout
    smsd.start()
    assert "nothing can be sent" in smsd.log()
    assert smsd.outcome()["outcome"] == PERMANENT


def test_every_option_stands_in_the_manual():
    """docs/smsd.conf.5 and the option tables hold the same keys."""
    import re
    from smsd import TOP
    source = "".join(f.read_text() for f in sorted((TOP / "smsd").rglob("*.c")))
    keys = set(re.findall(r'^\t\{ "([a-z0-9_.*]+)", OPT_', source, re.M))
    assert len(keys) > 30
    page = (TOP / "docs/smsd.conf.5").read_text()
    assert set(re.findall(r"^\.It Ic ([a-z0-9_.*]+)", page, re.M)) == keys


def test_shipped_smsd_conf_is_right_and_shows_the_defaults(smsd):
    import re
    from smsd import TOP
    text = (TOP / "conf/smsd.conf").read_text()
    smsd.config.write_text(text)
    assert smsd.check().returncode == 0
    shown = dict(re.findall(r"^# (\w+) = (.*)$", text.split("For trying things out")[0], re.M))
    source = (TOP / "smsd/settings.c").read_text()
    defaults = dict(re.findall(r'\{ "(\w+)", OPT_\w+, (?:RUNDIR )?"([^"]*)"', source))
    defaults["socket"] = "/run" + defaults["socket"]
    assert shown == defaults
    # The example at its end is right as well.
    example = text[text.index("# [gateway outbox]"):].replace("\n# ", "\n").removeprefix("# ")
    smsd.configure(example)
    assert smsd.check().returncode == 0


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_threat_31_without_descriptors_it_neither_spins_nor_dies(smsd):
    smsd.wrapper = ["prlimit", "--nofile=40:40"]
    smsd.configure(smsd.outbox_gateway())
    smsd.start()
    many = []
    for _ in range(120):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.setblocking(False)
        s.connect(smsd.socket)
        many.append(s)
    before = cpu_seconds(smsd.process.pid)
    time.sleep(1)
    assert cpu_seconds(smsd.process.pid) - before < 0.3
    for s in many:
        s.close()
    assert smsd.outcome()["outcome"] == ACCEPTED


def test_threat_31_many_waiting_messages_have_room(smsd, slow):
    """Each waiting client is a connection; more of them than the usual 1024 descriptors."""
    smsd.configure(slow.gateway(), parallel=4)
    smsd.start()
    slow.hang.set()
    clients = []
    try:
        for i in range(900):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            clients.append(s)
            s.connect(smsd.socket)
            s.send(wirepy.encode_request("submit", {
                "id": f"w{i}", "to": NUMBER, "channel": "sms", "template": "code", "code": CODE,
                "expires_at": int(time.time()) + 60}))
        assert smsd.gateways()["slow"]["waiting"] == 4
        slow.hang.clear()
        for s in clients:
            s.settimeout(30)
            assert s.recv(65536)
    finally:
        for s in clients:
            s.close()
    assert smsd.gateways()["slow"]["accepted"] == 900


@root_only
def test_name_servers_that_are_silent_hold_up_nothing_else(smsd, directory):
    """In a network of its own, whose only name server is a neighbour that is not there:
    libcurl used to wait for the look-up's thread, and the loop with it."""
    resolv = directory / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.1\n")
    resolv.chmod(0o644)
    smsd.wrapper = ["unshare", "-m", "-n", "sh", "-ec", f"""
        ip link set lo up
        ip link add d0 type veth peer name d1
        ip addr add 192.0.2.2/24 dev d0
        ip link set d0 up; ip link set d1 up
        ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev d0
        mount --bind {resolv} /etc/resolv.conf
        exec "$@\"""", "sh"]
    smsd.configure("[gateway hanging]\ndriver = http\nurl = https://gateway.example.org/\n"
                   "timeout = 1s\nfield.to = {to}\n", smsd.outbox_gateway(priority=20))
    smsd.start()
    begun, worst = time.monotonic(), 0
    pending = smsd.later()
    while not pending.done() and time.monotonic() - begun < 30:
        asked = time.monotonic()
        smsd.gateways()
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.01)
    assert pending.result(1)["gateway"] == "outbox"
    assert time.monotonic() - begun < 3
    assert worst < 1
    assert "not sent" in smsd.log()  # certainly: it may be tried again
    hanging = smsd.later()
    wait_for("the look-up", lambda: smsd.gateways()["hanging"]["waiting"] == 1)
    begun = time.monotonic()
    assert smsd.stop() == 0
    assert time.monotonic() - begun < 4
    assert hanging.result(20)["outcome"] == ACCEPTED  # drained to the next gateway
