"""The exec driver: programs of the administrator's, run by the helper."""

import os
import pathlib
import pwd
import re
import shutil
import time

import pytest

from peers import wait_for
from smsd import ACCEPTED, AMBIGUOUS, CODE, HOST, NUMBER, PERMANENT

SCRIPT = """#!/bin/sh
# $1: where to leave traces; the rest is the test's.
cat >"$1/in.$$"
tr '\\0' '\\n' </proc/$$/environ >"$1/environ"
tr '\\0' '\\n' </proc/$$/cmdline >"$1/cmdline"
cut -d' ' -f5 /proc/$$/stat >"$1/group"; echo $$ >"$1/pid"; id -u >"$1/uid"
ls -l /proc/$$/fd >"$1/fds"; grep -E 'Sig(Blk|Ign)|NoNewPrivs' /proc/self/status >"$1/status"
umask >"$1/umask"; pwd >"$1/cwd"
mv "$1/in.$$" "$1/in"
"""


@pytest.fixture
def traces(directory):
    made = directory / "traces"
    made.mkdir()
    if os.geteuid() == 0:
        os.chown(made, pwd.getpwnam("nobody").pw_uid, 0)
    return made


@pytest.fixture
def program(directory, traces):
    """program(text) is a gateway whose script ends in `text`."""
    def make(text="", name="exec", arguments="", **values):
        script = directory / name
        script.write_text(SCRIPT + text)
        script.chmod(0o755)
        lines = {"driver": "exec", "command": f"{script} {traces} {arguments}".strip(),
                 "channels": "sms voice email", **values}
        return f"[gateway {name}]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items())
    return make


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_program_gets_the_message_on_its_standard_input(smsd, program, traces):
    smsd.configure(program(**{"from": "Example"}))
    smsd.start()
    reply = smsd.outcome(id="abc-1_Z", expires_at=2000000000)
    assert (reply["outcome"], reply["gateway"], reply["error"]) == (ACCEPTED, "exec", "")
    head, text = (traces / "in").read_text().split("\n\n", 1)
    assert dict(line.split(": ", 1) for line in head.splitlines()) == {
        "To": NUMBER, "Channel": "sms", "Id": "abc-1_Z", "From": "Example", "Code": CODE,
        "Expires": "2000000000"}
    assert text.startswith(f"{CODE} is your login code for {HOST}.")


def test_threat_20_neither_arguments_nor_environment_hold_the_message(smsd, program, traces):
    smsd.configure(program(arguments="--to={to} $(id) *"))
    smsd.start({"SECRET": "canary"})
    assert smsd.outcome()["outcome"] == ACCEPTED
    words = (traces / "cmdline").read_text().splitlines()
    assert words[3:] == ["--to={to}", "$(id)", "*"]  # as they are: there is no shell
    environment = (traces / "environ").read_text().splitlines()
    assert sorted(e.split("=")[0] for e in environment) == ["LANG", "PATH"]
    assert CODE not in smsd.log() and NUMBER not in smsd.log()


def test_program_runs_by_itself_and_inherits_nothing(smsd, program, traces):
    smsd.configure(program())
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    def read(name):
        return (traces / name).read_text().strip()
    assert read("group") == read("pid") != str(smsd.process.pid)
    assert read("cwd") == "/" and read("umask") == "0077"
    status = dict(line.split(":\t") for line in read("status").splitlines())
    assert status["NoNewPrivs"] == "1"
    # 32 and 33 are libc's own.
    assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) & 0x7fffffff == 0
    # Input, two times nothing, and the script itself.
    assert "socket:" not in read("fds") and "anon_inode" not in read("fds")
    if os.geteuid() == 0:
        assert int(read("uid")) == pwd.getpwnam("nobody").pw_uid


@pytest.mark.parametrize("end, outcome, said", [
    ("exit 0", ACCEPTED, "accepted"), ("exit 75", ACCEPTED, "not sent: .* status 75"),
    ("exit 69", ACCEPTED, "not sent: .* status 69"), ("exit 65", PERMANENT, "refused: .* status 65"),
    ("exit 1", AMBIGUOUS, "unclear: .* status 1"), ("exit 255", AMBIGUOUS, "unclear: .* status 255"),
    ("kill -9 $$", AMBIGUOUS, "unclear: .* signal 9"),
    ("exec sleep 30", AMBIGUOUS, "unclear: .* too long")])
def test_exit_status_is_the_outcome(smsd, program, end, outcome, said):
    """A message that was not sent is tried again: the second time it goes well."""
    again = 'test -e "$1/second" && exit 0; touch "$1/second"\n' if "not sent" in said else ""
    smsd.configure(program(again + end, timeout="2s"))
    smsd.start()
    start = time.monotonic()
    assert smsd.outcome()["outcome"] == outcome
    assert re.search(rf"by exec \(sms\): {said}", smsd.log())
    assert time.monotonic() - start < 5


def test_own_table_of_statuses(smsd, program):
    smsd.configure(program("exit 3", exit_accepted="3 4"))
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED


def test_failed_program_hands_over_to_the_next_gateway(smsd, program):
    smsd.configure(program("exit 75", priority=1), smsd.outbox_gateway(priority=20))
    smsd.start()
    assert smsd.outcome()["gateway"] == "outbox"


def test_deadline_ends_the_whole_group(smsd, program, traces):
    smsd.configure(program(f'sleep 60 & echo $! >{traces}/left; sleep 60\n', timeout="1s"))
    smsd.start()
    assert smsd.outcome()["outcome"] == AMBIGUOUS
    for name in ("pid", "left"):
        pid = (traces / name).read_text().strip()
        wait_for(name, lambda p=pid: not running(p))


def test_what_a_program_leaves_behind_ends_with_it(smsd, program, traces):
    smsd.configure(program(f'sleep 60 & echo $! >{traces}/left\n'))
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    left = (traces / "left").read_text().strip()
    wait_for("the background process", lambda: not running(left))


def test_program_that_reads_nothing_and_prints_much(smsd, directory):
    script = directory / "deaf"
    script.write_text(f"#!/bin/sh\nyes {CODE} | head -c 1000000\nyes {CODE} | head -c 1000 >&2\n")
    script.chmod(0o755)
    smsd.configure(f"[gateway deaf]\ndriver = exec\ncommand = {script}\n")
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    assert CODE not in smsd.log()


def test_many_at_once(smsd, program):
    smsd.configure(program("sleep 0.5"))
    smsd.start()
    start = time.monotonic()
    pending = [smsd.later() for _ in range(20)]
    assert {p.result(30)["outcome"] for p in pending} == {ACCEPTED}
    assert time.monotonic() - start < 8  # one after the other they would take ten


def test_program_that_is_not_there(smsd, directory):
    smsd.configure(f"[gateway gone]\ndriver = exec\ncommand = {directory}/gone\n")
    smsd.start()
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT and "No such file" in reply["error"]


def test_threat_25_only_commands_of_the_start_are_run(smsd, program, directory):
    smsd.configure(program())
    smsd.start()
    shutil.copy(directory / "exec", directory / "other")
    smsd.configure(program().replace(f"{directory}/exec", f"{directory}/other"))
    smsd.reload()
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT and "restart" in reply["error"]
    smsd.configure(program(), program(name="second", priority=1))
    smsd.reload()
    assert smsd.outcome()["gateway"] == "exec"


def test_threat_25_without_an_exec_gateway_there_is_no_helper(smsd, program):
    smsd.configure(smsd.outbox_gateway())
    smsd.start()
    assert children(smsd.process.pid) == []
    smsd.configure(program())
    smsd.reload()
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT and "restart" in reply["error"]


def test_helper_ends_with_the_daemon_and_kills_its_programs(smsd, program, traces):
    smsd.configure(program("sleep 60\n", timeout="50s"), drain="1s")
    smsd.start()
    (helper,) = children(smsd.process.pid)
    pending = smsd.later()
    pid = wait_for("the program", lambda: (traces / "in").exists() and
                   (traces / "pid").read_text().strip())
    assert smsd.stop() == 0
    assert pending.result(10)["outcome"] == AMBIGUOUS
    wait_for("the helper", lambda: not running(helper) and not running(pid))


def test_helper_that_was_killed_is_said_and_the_next_gateway_sends(smsd, program):
    smsd.configure(program("sleep 60", timeout="50s"), smsd.outbox_gateway(priority=20))
    smsd.start()
    (helper,) = children(smsd.process.pid)
    pending = smsd.later()
    wait_for("the program", lambda: children(helper))
    os.kill(int(helper), 9)
    assert pending.result(10)["gateway"] == "outbox"
    assert smsd.outcome()["gateway"] == "outbox"
    assert "the process that runs programs has gone" in smsd.log()


@pytest.mark.parametrize("line, complaint", [
    ("command = send", "absolute"), ("exit_retry = 0", "one meaning"),
    ("exit_retry = 256", "256"), ("exit_accepted = x", "x"), ("shell = yes", "shell")])
def test_faulty_settings(smsd, line, complaint):
    smsd.configure("[gateway a]\ndriver = exec\n" +
                   ("" if line.startswith("command") else "command = /bin/true\n") + line + "\n")
    done = smsd.check()
    assert done.returncode == 1 and complaint in done.stderr
