"""README.md to the letter: what it prints must work as it is printed."""

import re

from host import ROOT, wait_for

README = (ROOT / "README.md").read_text()


def test_the_first_gateway_works_after_a_reload(empty_host):
    section = re.search(r"^\[gateway outbox\]\n(?:[^`\n]+\n)+", README, re.M).group(0)
    empty_host.run("systemd-sysusers")
    empty_host.run("systemd-tmpfiles", "--create", "--prefix=/var/lib/magotp",
                   "--prefix=/var/lib/magotp-smsd", "--prefix=/run/magotp",
                   "--prefix=/run/magotp-smsd")
    empty_host.run("magotpctl", "setup")
    empty_host.start()
    assert "magotpctl gateway test +12025550134" in README
    test = ("magotpctl", "gateway", "test", "+12025550134")
    before = empty_host.run(*test, check=False)
    assert before.returncode == 1 and "no gateway" in before.stderr
    empty_host.write("/etc/magotp/gateways.d/outbox.conf", section)
    empty_host.run("magotp-smsd", "-t")
    # The daemon was started through nsenter, which became it: its pid.
    empty_host.smsd.send_signal(1)
    wait_for("the gateway", lambda: empty_host.run("magotpctl", "gateway", "list").stdout)
    assert "Sent by outbox" in empty_host.run(*test).stdout
    folder = re.search(r"^directory = (.+)$", section, re.M).group(1)
    assert "test message" in empty_host.run("sh", "-c", f"cat {folder}/*.json").stdout


def test_commands_in_the_readme_are_known(empty_host):
    """Each verb that stands in a block of commands has a help of its own."""
    found = set(re.findall(r"^ *(magotp(?:ctl)?(?: [a-z][a-z-]*){1,2})\b", README, re.M))
    found |= set(re.findall(r"-c '(magotp [a-z]+(?: [a-z]+)?)", README))
    assert len(found) >= 6, found
    for line in found:
        words = line.split()
        known = [empty_host.run(*words[:n], "--help", check=False).returncode == 0
                 for n in range(2, len(words) + 1)]
        assert any(known), line
