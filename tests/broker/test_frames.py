"""threat 32: mutated frames at the running daemons (tests/fault/frames.c), from root and
from a stranger: the same process, memory flat, nothing left open, logins go on."""

import os
import random
import re
import struct
import subprocess

import pytest

import wirepy
from house import House, needs_root
from test_attack import descriptors, open_files, settles

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"
COUNT = int(os.environ.get("MAGOTP_FRAMES", 10**7 if LONG else 5 * 10**4))
SEED, STRANGER = 20261122, 12005


class Quiet(House):
    """Ten million lines of log are nobody's to read."""

    def log_file(self, name):
        return "/dev/null" if name == "broker" else super().log_file(name)

    def log(self, name="broker"):
        return ""


def frames_file(path, names):
    """Valid frames of these messages: empty, half full, full."""
    rng = random.Random(SEED)
    with open(path, "wb") as f:
        for name in names:
            for fill in (0, 0.1, 0.5):
                fields = wirepy.random_fields(wirepy.MESSAGES[name].request, rng, fill)
                fields = {k: v[:3] if isinstance(v, list) else v for k, v in fields.items()}
                if "template" in fields:
                    fields["template"] = ""  # random texts to random numbers: none may get out
                for u in ("user", "account"):
                    if u in fields and fill:
                        fields[u] = "anna"
                frame = wirepy.encode_request(name, fields)
                f.write(struct.pack(">I", len(frame)) + frame)
    os.chmod(path, 0o644)


def memory(house, name):
    """Resident, KiB."""
    with open("/proc/%d/status" % house.processes[name].pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def shoot(house, socket, frames, count, seed, uid=None):
    program = os.path.join(house.build, "frames")
    done = subprocess.run([program, socket, frames, str(count), str(seed),
                           *([str(uid)] if uid else [])],
                          capture_output=True, text=True, timeout=6000)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def quiet(open_dir):
    with Quiet(open_dir, audit={"file": "none"},
               broker={"max_clients": 4096, "max_clients_per_uid": 4096}) as house:
        house.start()
        house.account("anna", uid=12001)
        house.phone("anna")
        yield house


# Of the broker, without those that would end what is looked at.
SPARED = ("account_delete", "phone_delete")
BROKER = [m.name for m in wirepy.MESSAGES.values() if m.id < 200 and m.name not in SPARED]
SMSD = [m.name for m in wirepy.MESSAGES.values() if m.id >= 200]


@needs_root
@pytest.mark.parametrize("who", ["broker", "smsd"])
def test_threat_32_mutated_frames(quiet, who):
    """One of fifty from root, whose frames are let through to the handlers and commit,
    the others from a stranger. smsd: from root alone, it takes no other's."""
    socket = quiet.socket if who == "broker" else quiet.smsd_socket
    frames = os.path.join(quiet.dir, "frames")
    frames_file(frames, BROKER if who == "broker" else SMSD)
    total = COUNT if who == "broker" else COUNT // 10
    pid = quiet.processes[who].pid
    quiet.call("ping")
    open_before = descriptors(quiet, who)
    lines, sizes = [], []
    few = total // 50 if who == "broker" else total // 4
    for part in range(4):
        uid = STRANGER if who == "broker" and part else None
        count = few if part == 0 else (total - few) // 3
        lines.append(shoot(quiet, socket, frames, count, SEED + part, uid))
        assert quiet.processes[who].poll() is None and quiet.processes[who].pid == pid
        # The store may open its file once more, for checkpoints.
        assert settles(quiet, open_before + 2, who), open_files(quiet, who)
        sizes.append(memory(quiet, who))
    print("\n%s: %s\n%s: pid %d, resident %s KiB" % (who, "; ".join(lines), who, pid, sizes))
    # The first part fills caches, which have their bounds.
    assert max(sizes[1:]) - sizes[0] < 4096 and sizes[-1] < 128 * 1024
    # Of so many of root's frames one may have deleted anna.
    quiet.account("bert", uid=12002)
    number = quiet.phone("bert")
    login = quiet.login("bert", service="su")
    assert login.send()[0].verdict == "ok"
    assert login.verify(quiet.code(number))[0].verdict == "ok"
