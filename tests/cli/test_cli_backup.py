"""magotpctl backup and restore, as who types them meets them (tests/broker/test_restore.py
proves what they do)."""

import json
import os
import shutil
import stat
import subprocess

import pytest

from desk import ENV


@pytest.fixture
def shop(desk):
    shutil.copy(desk.program("otpcored"), desk.bin)  # which does both
    desk.with_phone("games")
    return desk


def test_a_backup_and_back_again(shop):
    path = os.path.join(shop.dir, "a.backup")
    shop.ctl("backup", path, "--dry-run")
    assert not os.path.exists(path)
    shop.ctl("backup", path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert path in shop.ctl("backup", path, code=1).stderr  # nothing is overwritten

    other = os.path.join(shop.dir, "db/drill.db")
    restore = ("--json", "restore", path, "--to", "sqlite:" + other)
    shop.ctl(*restore, "--dry-run")
    assert not os.path.exists(other)
    assert "covered" in json.loads(shop.ctl(*restore).stdout)
    assert os.path.exists(other)


def test_a_full_disk_is_named(shop):
    """In a mount namespace of its own, on a disk of 16 KiB."""
    full = os.path.join(shop.dir, "full")
    os.mkdir(full)
    mount = 'mount -t tmpfs -o size=16k none "$0" || exit 77; exec "$@"'
    p = subprocess.run(["unshare", "-m", "sh", "-c", mount, full,
                        *shop._argv("magotpctl", ("backup", os.path.join(full, "b")))],
                       capture_output=True, text=True, env=ENV, cwd="/", timeout=60)
    if p.returncode == 77:
        pytest.skip("no mounts here: " + p.stderr)
    assert p.returncode == 1 and "No space left on device" in p.stderr, p.stderr
    assert "ioctl" not in p.stderr


@pytest.mark.parametrize("words, why", [
    ((), "--in-place"), (("--in-place", "--to", "sqlite:/x"), "do not go together"),
    (("/x", "--snapshot", "--journal", "/y"), "no journal")])
def test_what_does_not_go_together(desk, words, why):
    assert why in desk.ctl("restore", *words, code=2).stderr


def test_a_backup_that_is_none(shop):
    path, to = os.path.join(shop.dir, "words"), os.path.join(shop.dir, "db/x.db")
    with open(path, "w") as f:
        f.write("not a store\n")
    assert path in shop.ctl("restore", path, "--to", "sqlite:" + to, code=1).stderr
    assert not os.path.exists(to)
