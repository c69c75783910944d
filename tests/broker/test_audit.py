"""The audit log (security.md 34): every decision is in it before it is told, and whoever
edits, removes, reorders or cuts it is found out."""

import glob
import hashlib
import json
import os
import pathlib
import re
import signal

import pytest

import wirepy
from house import House, wrong
from peers import wait_for
from relays import Link, Relay, auth_host


def log_of(house):
    return pathlib.Path(house.sections["audit"]["file"])


def verify(house):
    return house.run("otpcored", "--config", house.conf_file, "--audit-verify", check=False)


def lines(house):
    return log_of(house).read_text().splitlines(keepends=True)


@pytest.fixture
def written(house):
    """A log of some logins, ended and signed."""
    house.start()
    house.account("anna")
    number = house.phone("anna")
    for _ in range(3):
        login = house.login("anna")
        login.send()
        login.verify(house.code(number))
    house.stop("broker")
    return house


def test_every_decision_is_a_record(written):
    text = "".join(lines(written))
    assert text.count(" begin account=anna service=sshd ") == 3
    assert text.count(" verify account=anna service=sshd ") == 3
    assert " head host=" in lines(written)[-1]
    mode = log_of(written).stat().st_mode & 0o777
    assert mode == 0o600
    done = verify(written)
    assert done.returncode == 0, done.stderr
    assert "sound: records 1 to %d" % len(lines(written)) in done.stderr


def test_threat_20_no_code_and_no_number_stands_in_it(house):
    house.start()
    house.account("anna")
    number = house.phone("anna")
    login = house.login("anna")
    login.send()
    code = house.code(number)
    login.verify(wrong(code))
    login.verify(code)
    house.stop("broker")
    text = log_of(house).read_text()
    for secret in (code, wrong(code), number, number.lstrip("+"), login.txn.hex()):
        assert secret not in text


def edit(all_lines):
    all_lines[4] = all_lines[4].replace("anna", "bert")


def delete(all_lines):
    del all_lines[3]


def reorder(all_lines):
    all_lines[2], all_lines[3] = all_lines[3], all_lines[2]


def insert(all_lines):
    all_lines.insert(3, all_lines[3])


def truncate(all_lines):
    del all_lines[-2:]


def cut_in_the_middle(all_lines):
    all_lines[-1] = all_lines[-1][:40]


def empty(all_lines):
    del all_lines[:]


FAULTS = {edit: "was changed", delete: "left out", reorder: "left out", insert: "left out",
          truncate: "the end was cut off", cut_in_the_middle: "the last record is cut",
          empty: "the end was cut off"}


def test_threat_34_edit_delete_reorder_and_truncate_are_found(written):
    whole = lines(written)
    for fault, says in FAULTS.items():
        spoilt = list(whole)
        fault(spoilt)
        log_of(written).write_text("".join(spoilt))
        done = verify(written)
        assert done.returncode != 0 and says in done.stderr, (fault.__name__, done.stderr)
    log_of(written).unlink()
    assert verify(written).returncode != 0
    log_of(written).write_text("".join(whole))
    assert verify(written).returncode == 0


def chain(texts):
    """A log that follows, made by somebody without the key."""
    before, out = bytes(32), []
    for n, (time, text) in enumerate(texts, 1):
        before = hashlib.sha256(before + f"{n} {time} {text}".encode()).digest()
        out.append(f"{n} {time} {before.hex()} {text}\n")
    return out


def test_threat_34_a_log_made_anew_has_no_head_that_is_signed(written):
    old = [line.rstrip("\n").split(" ", 3) for line in lines(written)]
    new = chain([(time, text.replace("anna", "bert")) for _, time, _, text in old])
    log_of(written).write_text("".join(new))
    done = verify(written)
    assert done.returncode != 0 and "not signed with the key" in done.stderr
    # Without its heads it follows, but the store remembers another.
    new = chain([(time, text) for _, time, _, text in old if not text.startswith("head ")]
                + [(old[-1][1], "begin account=x service=y from=- peer=0/1 ok")] * 9)
    log_of(written).write_text("".join(new))
    done = verify(written)
    assert done.returncode != 0 and "another than the store remembers" in done.stderr


def test_threat_34_a_host_that_was_renamed_is_no_forger(written):
    """Its heads before name the host that it was; a name that is put in by hand is found."""
    written.conf(broker={"host_identity": "newname"})
    written.start_broker()
    written.account("bert")
    written.stop("broker")
    done = verify(written)
    assert done.returncode == 0, done.stderr
    assert " of these heads name another host than newname, the last " in done.stderr
    old = [line.rstrip("\n").split(" ", 3) for line in lines(written)]
    assert old[-1][3].startswith("head host=newname ")
    log_of(written).write_text("".join(chain(
        [(time, text.replace("head host=newname ", "head host=third ")) for _, time, _, text in old])))
    done = verify(written)
    assert done.returncode != 0 and "not signed with the key" in done.stderr


def test_a_broker_that_was_killed_goes_on_in_the_same_chain(house):
    house.start()
    house.account("anna")
    house.stop_hard("broker")
    with open(log_of(house), "a") as f:
        f.write("17 2026-")  # what the last write left
    house.start_broker()
    house.account("bert")
    house.stop("broker")
    done = verify(house)
    assert done.returncode == 0, done.stderr
    assert "17 2026-\n" not in log_of(house).read_text()


REFUSED = {"user": "x" * 250, "service": "y" * 60, "rhost": "z" * 250, "proof": 1}
FLOOD = 300
EACH = 20  # of one peer in a minute


def begins_and_counts(text, whose):
    """(refusals in full, those that are only counted, how often that was told)"""
    full = len(re.findall(r"begin account=x{200,} .*%s.* error: not allowed" % whose[0], text))
    counts = [int(n) for n in re.findall(r"refused account=- service=- from=- %s and (\d+) more were "
                                         "refused" % whose[1], text)]
    return full, sum(counts), len(counts)


def flooded(house, whose):
    """Nothing is lost of the number, and little is written."""
    house.stop("broker")
    for text in (log_of(house).read_text(), house.log()):
        full, more, told = begins_and_counts(text, whose)
        assert full + more == FLOOD and told >= 1, (full, more, told)
        assert full <= EACH * (told + 1), (full, told)
    done = verify(house)
    assert done.returncode == 0, done.stderr


def test_threat_31_refusals_do_not_fill_the_disk_of_the_log(house):
    """Any user may ask, and is refused, as often as there is time for it. Root's refusals and
    whatever was charged stand there one by one."""
    house.start()
    house.account("anna", uid=12001)
    number = house.phone("anna")
    request = wirepy.encode_request("begin", REFUSED)
    wirepy.as_uid(12005, lambda: [wirepy._raw(house.socket, request, 10, None) for _ in range(FLOOD)]
                  and True)
    for _ in range(2 * EACH):
        assert house.call("send", {"txn": b"none of ours"})[0].error == "STALE"
    login = house.login("anna")
    login.send()
    code = house.code(number)
    assert login.verify(wrong(code))[0].verdict == "code-wrong"
    assert login.verify(code)[0].verdict == "ok"
    flooded(house, ("peer=12005/", "peer=12005"))
    text = log_of(house).read_text()
    assert len(re.findall(r" send account=- .* peer=0/\d+ error: ", text)) == 2 * EACH
    assert text.count(" verify account=anna ") == 2
    run = lambda *args: house.run("magotpctl", "--config", house.conf_file, *args)
    rows = json.loads(run("audit", "list", "--last", "500", "--json").stdout)
    row = [row for row in rows if row["event"] == "refused"][-1]
    assert row["peer"] == "12005" and "more were refused" in row["result"]


def test_threat_31_nor_do_those_of_a_relay(house, open_dir):
    """Whichever of its users it says that it is."""
    auth_host(house)
    house.start()
    with Relay(os.path.join(open_dir, "web1"), [house], "web1") as relay:
        relay.enroll("--services", "sshd", "--accounts", "anna")
        link = Link(house, relay.identity)
        for n in range(FLOOD):
            result, _ = link.call("begin", REFUSED, origin={"uid": n, "alive": 1})
            assert result.error
        link.close()
        flooded(house, ("host=web1", "peer=- host=web1"))


def test_threat_35_what_cannot_be_written_down_is_not_told(house):
    """The disk of the log fails for two records: who would be let in is not, and is when
    it is written again, with the same answer."""
    house.start_smsd()
    house.start_broker()
    house.account("anna")
    number = house.phone("anna")
    house.stop("broker")
    house.start_broker(fault="audit.write:fail:3")
    login = house.login("anna")
    login.send()
    code = house.code(number)
    result, _ = login.verify(code)
    assert result.error and result.verdict != "ok"
    assert "nothing can be written" in house.log()
    result, reply = login.verify(code, seq=login.seq)  # the module asks again
    assert result.verdict == "ok" and reply["strength"] == "phone-otp"
    house.stop("broker")
    assert verify(house).returncode == 0


def test_a_large_log_is_begun_anew_and_goes_on(house):
    house.start_smsd()
    house.start_broker(fault="audit.full:fail:1")
    house.account("anna")
    house.processes["broker"].send_signal(signal.SIGHUP)
    first = wait_for("a second file", lambda: glob.glob(str(log_of(house)) + ".0*"))[0]
    house.stop("broker")
    house.start_broker()  # where there is only a new, empty file
    house.account("bert")
    house.stop("broker")
    done = verify(house)
    assert done.returncode == 0 and "sound: records 1 to" in done.stderr, done.stderr
    assert "account=anna" in pathlib.Path(first).read_text()
    pathlib.Path(first).unlink()
    done = verify(house)
    assert done.returncode == 0 and "older files were removed" in done.stderr


def test_list_and_export(written):
    run = lambda *args: written.run("magotpctl", "--config", written.conf_file, *args)
    rows = json.loads(run("audit", "list", "anna", "--last", "2", "--json").stdout)
    assert [row["event"] for row in rows] == ["send", "verify"]
    assert rows[-1]["result"] == "ok" and rows[-1]["service"] == "sshd"
    records = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert len(records) == len(lines(written))
    assert [r["record"] for r in records] == list(range(1, len(records) + 1))
    assert json.loads(run("audit", "verify", "--json").stdout) == {"sound": True}


def test_threat_34_two_brokers_do_not_share_a_file(house, tmp_path):
    """As a drill on the same host would: a chain that two write cannot be verified."""
    house.start()
    house.account("anna")
    other = House(tmp_path, store={"journal": "no"},
                  audit=house.sections["audit"])
    other.setup()
    said = other.run("otpcored", "--config", other.conf_file, "--foreground", check=False)
    assert said.returncode != 0 and "is in use by another otpcored" in said.stderr
    assert house.run("otpcored", "--config", house.conf_file, "--audit-verify").returncode == 0
