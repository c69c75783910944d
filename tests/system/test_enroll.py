"""A first login over a real ssh that sets up its own second factor (rule O5)."""

import re

import pytest

from host import PASSWORD, until_end

NUMBER = "+12025550134"


@pytest.fixture
def new_host(empty_host):
    """alice has an account and nothing else; self.key is hers."""
    empty_host.install("[licences]\nmode = required\n[service sshd]\nunenrolled = enroll\n")
    empty_host.run("useradd", "-m", "-s", "/bin/bash", "alice")
    empty_host.run("chpasswd", input=f"alice:{PASSWORD}\n")
    empty_host.run("magotpctl", "account", "add", "alice", "--first", "Alice", "--last", "Doe")
    empty_host.key = empty_host.run("magotpctl", "license", "issue", "--product",
                                    "phone-us").stdout.strip()
    empty_host.sshd()
    return empty_host


def to_key(host):
    child = host.ssh("alice", "magotp status")
    child.expect("Password:")
    assert "icence" not in child.before, "nothing is said before the password"
    child.sendline(PASSWORD)
    return child


def test_O5_first_login(new_host):
    child = to_key(new_host)
    child.expect(r"Set up two-step login for alice.*Licence key \(Enter cancels\): ")
    child.sendline(new_host.key)
    child.expect(r"Key accepted: phone, US numbers.*Phone number \(like \+12025550134\): ")
    child.sendline("+1 202-555-0134")
    child.expect(r"Use \+12025550134 \(US\)\?.*Alice Doe.*n = other number: ")
    child.sendline("")
    child.expect("Code sent by text to 0134.*Code: ")
    child.sendline(new_host.code(new_host.message(NUMBER)))
    seen = until_end(child)
    assert "Set up: phone ending 0134, until 20" in seen, seen
    assert "Phone OTP (phone-otp), level 2" in seen, seen
    assert re.search(r"p1 +text 0134 +active", seen), seen
    # The next login asks for a code like any other.
    child = to_key(new_host)
    child.expect("Text to phone ending 0134")
    child.close(force=True)


def test_O5_cut_off_it_goes_on(new_host):
    child = to_key(new_host)
    child.expect("Enter cancels")
    child.sendline(new_host.key)
    child.expect("Phone number")
    child.sendline(NUMBER)
    child.expect("other number: ")
    child.sendline("")
    child.expect("Code: ")
    child.close(force=True)
    child = to_key(new_host)
    child.expect("Set up two-step login: code for 0134.*Code: ")
    child.sendline(new_host.code(new_host.message(NUMBER)))
    assert "Phone OTP (phone-otp), level 2" in until_end(child)


def test_threat_11_a_password_thief_without_a_key(new_host):
    child = to_key(new_host)
    child.expect("Enter cancels")
    child.sendline("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA")
    child.expect("Typing mistake in the key, group 1")
    child.sendline("")
    seen = until_end(child)
    assert "Nothing was set up" in seen and child.exitstatus == 255, seen
    phones = new_host.run("magotpctl", "--json", "account", "show", "alice").stdout
    assert "0134" not in phones
