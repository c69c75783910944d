"""master_key = tpm:FILE, against a TPM 2.0 of its own (swtpm on a private socket)."""

import contextlib
import os
import random
import shutil
import subprocess
import time

import pytest

from house import build_dir
from test_keys import all_open, ctl, people, refuses, restart, start


def missing():
    if not shutil.which("swtpm"):
        return "swtpm is not installed"
    with open(os.path.join(build_dir(), "config.h")) as f:
        return "" if "#define HAVE_TPM" in f.read() else "magotp was built without tpm2-tss"


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


class Tpm:
    def __init__(self, directory):
        self.dir, self.process = directory, None
        os.mkdir(directory)
        os.mkdir(directory + "/state")
        self.socket = directory + "/tpm"
        self.start()

    @property
    def tcti(self):
        return "swtpm:path=" + self.socket

    def start(self):
        # the library takes PATH.ctrl for the second socket
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=%s/state" % self.dir,
             "--server", "type=unixio,path=" + self.socket,
             "--ctrl", "type=unixio,path=%s.ctrl" % self.socket,
             "--flags", "not-need-init,startup-clear", "--seccomp", "action=none"],
            stdout=open(self.dir + "/log", "ab"), stderr=subprocess.STDOUT)
        end = time.monotonic() + 10
        while not os.path.exists(self.socket + ".ctrl"):
            assert time.monotonic() < end and self.process.poll() is None, \
                open(self.dir + "/log").read()
            time.sleep(0.01)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        for name in (self.socket, self.socket + ".ctrl"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def again(self):
        """It serves one client after the other; swtpm ends with its last one."""
        self.stop()
        self.start()


@pytest.fixture
def tpm(house):
    t = Tpm(house.dir + "/tpm")
    yield t
    t.stop()


def source(house, tpm, name="master.tpm"):
    return "tpm:%s/%s?tcti=%s" % (house.dir, name, tpm.tcti)


def test_set_up_in_a_tpm(house, tpm):
    house.conf(store={"master_key": source(house, tpm)})
    house.setup()
    path = house.dir + "/master.tpm"
    assert os.stat(path).st_mode & 0o7777 == 0o600
    tpm.again()
    house.start()
    house.ok("ping")
    people(house, 3)
    tpm.stop()  # it is asked once
    all_open(house)
    # without it there is no start, and it is said why
    house.stop("broker")
    refuses(house, "no TPM answers; is its device there")
    # with it there is
    tpm.start()
    start(house)
    all_open(house)
    # another one, or this one cleared, is none
    house.stop("broker")
    other = Tpm(house.dir + "/other")
    house.conf(store={"master_key": source(house, other)})
    refuses(house, "this TPM did not make it, or was cleared since")
    other.stop()
    shutil.rmtree(tpm.dir + "/state")
    os.mkdir(tpm.dir + "/state")
    house.conf(store={"master_key": source(house, tpm)})
    tpm.again()
    refuses(house, "this TPM did not make it, or was cleared since")


def test_threat_26_a_changed_object_opens_nothing(house, tpm):
    house.conf(store={"master_key": source(house, tpm)})
    house.setup()
    path = house.dir + "/master.tpm"
    with open(path, "rb") as f:
        good = f.read()
    for bad in (b"", good[:-1], good + b"x", b"x" + good[1:], bytes(2000),
                *(good[:i] + bytes([good[i] ^ 1]) + good[i + 1:]
                  for i in random.sample(range(len(good)), 3))):
        with open(path, "wb") as f:
            f.write(bad)
        tpm.again()
        with contextlib.suppress(RuntimeError):
            house.start_broker()
        assert house.processes.pop("broker").wait(10) == 1
    os.chmod(path, 0o644)
    refuses(house, "chmod 600 %s" % path)
    os.chmod(path, 0o600)
    with open(path, "wb") as f:
        f.write(good)
    tpm.again()
    start(house)


def test_from_a_file_into_a_tpm_and_back(house, tpm):
    house.start()
    people(house, 3)
    out = ctl(house, "key", "rotate", "--master", source(house, tpm), "--dry-run")
    assert "which would be made" in out and not os.path.exists(house.dir + "/master.tpm")
    tpm.again()
    out = ctl(house, "key", "rotate", "--master", source(house, tpm))
    assert "Either master key opens the store now" in out
    assert "LoadCredential=master.key:%s/master.tpm\n" % house.dir in out
    assert "PrivateDevices" not in out  # a socket is no device
    house.conf(store={"master_key": source(house, tpm)})
    tpm.again()
    restart(house)
    assert "the old master key opens this store no more" in house.log()
    all_open(house)
    # the file is not what the TPM holds
    with open(house.dir + "/master.tpm", "rb") as f, open(house.dir + "/master.key") as key:
        assert bytes.fromhex(key.read().strip()) not in f.read()
    tpm.again()
    back = "file:%s/back.key" % house.dir
    ctl(house, "key", "rotate", "--master", back)
    house.conf(store={"master_key": back})
    tpm.stop()
    restart(house)
    all_open(house)
