"""magotpctl key: what there is, a new key, another master key."""

import os
import re
import shutil


def test_list_rotate_list(desk):
    desk.ctl("account", "add", "games", "--email", "games@example.org")
    key, = desk.json("key", "list")
    assert key["state"] == "current" and key["rows"] == 1 and key["removed_after"] is None
    assert re.fullmatch("[0-9a-f]{8}", key["key"]) and re.fullmatch("[0-9a-f]{8}", key["master"])
    done = desk.ctl("key", "rotate", "--dry-run")
    assert "Nothing was done. A new key would be made, for 1 sealed values." in done.stderr
    assert desk.json("key", "rotate", "--dry-run") == {"key": None, "rows": 1, "broken": 0}
    assert desk.json("key", "list") == [key]
    done = desk.ctl("key", "rotate")
    assert re.search(r"1 rows are now under the key [0-9a-f]{8}", done.stdout)
    assert "The old key is removed after" in done.stderr
    old, new = sorted(desk.json("key", "list"), key=lambda k: k["state"] == "current")
    assert (old["key"], old["state"], old["rows"]) == (key["key"], "ending", 0)
    assert old["removed_after"] and new["rows"] == 1
    said = desk.json("key", "rotate")
    assert said["rows"] == 1 and said["broken"] == 0 and said["old_removed_after"]
    assert said["key"] not in (old["key"], new["key"])
    # a table, and no more keys than fit
    lines = desk.ctl("key", "list").stdout.splitlines()
    assert len(lines) == 3 and all(len(line.split("\t")) == 7 for line in lines)
    for _ in range(4):
        desk.ctl("key", "rotate")
    assert "too many old keys; wait" in desk.ctl("key", "rotate", code=1).stderr
    assert desk.json("account", "list")[-1]["email"] == "games@example.org"


def test_another_master_key(desk):
    shutil.copy(desk.program("otpcored"), desk.bin)
    source = "file:%s/next.key" % desk.dir
    done = desk.ctl("key", "rotate", "--master", source, "--dry-run")
    assert "would be wrapped by" in done.stderr and not os.path.exists(desk.dir + "/next.key")
    assert "is not being changed" in desk.ctl("key", "finish", code=1).stderr
    done = desk.ctl("key", "rotate", "--master", source)
    assert "Either master key opens the store now" in done.stderr
    first = desk.json("key", "list")[0]["master"]
    desk.stop("broker")
    desk.conf(store={"master_key": source})
    desk.start_broker()
    assert desk.json("key", "list")[0]["master"] != first
    done = desk.ctl("key", "rotate", "--master", "credential:x", code=1)
    assert "expected file:/FILE or tpm:/FILE" in done.stderr


def test_a_dry_run_says_what_would_go_wrong(desk):
    shutil.copy(desk.program("otpcored"), desk.bin)
    path = desk.dir + "/next.key"
    for source, why in (("file:next.key", "with the whole path"),
                        ("tpm:next.tpm", "with the whole path"),
                        ("credential:x", "expected file:/FILE"),
                        ("file:%s/none/next.key" % desk.dir, "No such file"),
                        ("file:%s/master.key" % desk.dir, "that is the master key already"),
                        ("tpm:%s/x.tpm?tcti=device:/none" % desk.dir, "TPM")):
        for more in ["--dry-run"], []:
            done = desk.ctl("key", "rotate", "--master", source, *more, code=1)
            assert why in done.stderr, done
            assert "no daemon" not in done.stderr
    for name in "next.key", "next.tpm", "x.tpm":
        assert not os.path.exists(name) and not os.path.exists(desk.dir + "/" + name)
    with open(path, "w") as f:
        f.write("no key")
    os.chmod(path, 0o600)
    done = desk.ctl("key", "rotate", "--master", "file:" + path, "--dry-run", code=1)
    assert "this is not a master key (64 hex digits)" in done.stderr
    os.unlink(path)
    dry = {"master": None, "made": False, "changed": False}
    assert desk.json("key", "rotate", "--master", "file:" + path, "--dry-run") == dry
    assert not os.path.exists(path)
    said = desk.json("key", "rotate", "--master", "file:" + path)
    assert said["made"] and said["changed"] and re.fullmatch("[0-9a-f]{8}", said["master"])
    again = desk.json("key", "rotate", "--master", "file:" + path, "--dry-run")
    assert again == {"master": said["master"], "made": False, "changed": False}


def test_keys_are_roots(desk):
    for message in ("key_list", "key_page", "key_rotate", "key_finish"):
        assert desk.call(message, uid=12001)[0].error == "PERM"
