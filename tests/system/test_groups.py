"""Strength groups: given at login, named by libnss_magotp (rule L5, security.md 15)."""

import re

from host import PASSWORD, until_end

GROUPS = "# ours\nmag-phone-otp 7001\nmag-hardware-otp 7002\nmag-level2 7003\nmag-level3 7004\n"


def switch_on(host, groups=GROUPS):
    host.write("/etc/magotp/groups", groups)
    host.run("sed", "-i", "s/^group:.*/group: files magotp/", "/etc/nsswitch.conf")


def ssh_groups(host, user="alice"):
    """The numbers in `id -G` of an ssh login by phone, as a set."""
    before = len(host.messages())
    child = host.ssh(user, "echo numbers=$(id -G)=; echo names=$(id -Gn)=")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message(after=before)))
    seen = until_end(child)
    assert child.exitstatus == 0, seen
    return (set(map(int, re.search("numbers=(.*?)=", seen).group(1).split())),
            re.search("names=(.*?)=", seen).group(1).split())


def test_L5_groups_say_how_strong_the_login_was(host):
    plain, _ = ssh_groups(host)
    assert not plain & {7001, 7002, 7003, 7004}, "they are off by default"
    switch_on(host)
    # sshd runs setcred before and after initgroups: they are there once, and no others.
    numbers, names = ssh_groups(host)
    assert numbers - plain == {7001, 7003}
    assert plain - numbers == set()
    assert {"mag-phone-otp", "mag-level2"} <= set(names)


def test_L5_su_gives_them_too_and_keeps_what_is_there(host):
    switch_on(host)
    host.run("groupadd", "--gid", "7100", "staffers")
    host.run("usermod", "-aG", "staffers", "alice")
    host.write("/etc/pam.d/su", "auth required pam_magotp.so prompt_password\n"
               "account required pam_magotp.so\nsession required pam_magotp.so\n")
    host.run("useradd", "-m", "bob")
    before = len(host.messages())
    child = host.spawn("setpriv", "--reuid=bob", "--regid=bob", "--clear-groups",
                       "su", "alice", "-c", "id -G")
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(host.code(host.message(after=before)))
    numbers = set(map(int, until_end(child).split()))
    assert {7001, 7003, 7100} <= numbers
    assert not numbers & {7002, 7004}


def test_threat_15_a_file_that_others_may_write_gives_nothing(host):
    switch_on(host)
    host.run("chmod", "0666", "/etc/magotp/groups")
    numbers, _ = ssh_groups(host)
    assert not numbers & {7001, 7002, 7003, 7004}
    assert "no groups are given" in host.syslog()


def test_getent_knows_the_names_without_members(host):
    switch_on(host)
    assert host.run("getent", "group", "mag-phone-otp").stdout == "mag-phone-otp:x:7001:\n"
    assert host.run("getent", "group", "7004").stdout == "mag-level3:x:7004:\n"
    everybody = host.run("getent", "group").stdout
    assert "root:x:0:" in everybody and "mag-level2:x:7003:" in everybody
    # Names need no broker.
    host.stop(host.broker)
    assert host.run("getent", "group", "mag-level2").stdout == "mag-level2:x:7003:\n"
