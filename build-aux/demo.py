"""The main job, shown: called by ./demo with the build folder.

Everything runs on a private copy of this host (tests/system/host.py): a real
sshd on loopback, the real daemons, messages into a folder instead of a gateway.
"""

import argparse
import os
import re
import shlex
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/system"))
from host import Host, stage_install, wait_for  # noqa: E402

PASSWORD = "correct horse 7"
NUMBER = "+12025550134"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def say(text=""):
    print(f"\033[1m{text}\033[0m" if COLOUR else text, flush=True)


class Terminal:
    """What a child prints goes to our stdout as a person would see it."""

    def write(self, text):
        sys.stdout.write(text.replace("\r", ""))

    def flush(self):
        sys.stdout.flush()


def root(host, *command, answer=None):
    """One command of the administrator, shown with what it prints."""
    print(f"# {shlex.join(map(str, command))}", flush=True)
    done = host.run(*command, **({"input": answer} if answer is not None else {}))
    sys.stdout.write(done.stdout + done.stderr)
    return done.stdout


def person(host, answers, *command):
    """A program on a terminal; answers are (what is waited for, what is typed)."""
    print(f"$ {shlex.join(map(str, command[1:] if command[0] == 'as' else command))}", flush=True)
    if command[0] == "as":
        command = ("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", *command[1:])
    child = host.spawn(*command)
    child.logfile_read = Terminal()
    for prompt, typed in answers:
        child.expect(prompt)
        child.sendline(typed() if callable(typed) else typed)
    child.expect(["\Z", "$"]) if False else None
    import pexpect
    child.expect(pexpect.EOF)
    child.close()
    if child.exitstatus != 0:
        raise SystemExit(f"demo: {command[0]} ended with {child.exitstatus}")


def code_of(host, number_of_messages, shown=True):
    """Wait for the next message and show it, as the phone would."""
    message = host.message(NUMBER, after=number_of_messages)
    code = host.code(message)
    if shown:
        print(f"\n  [phone ...0134, {message['channel']}] {message['text']}")
        print(f"  [typed] {code}", end="", flush=True)
    return code


def set_up(host):
    say("\n1. The administrator sets up magotp and makes an account")
    host.install(conf="[policy]\nhelp = helpdesk@example.org\n")
    print("# magotpctl setup; otpcored; magotp-smsd          (done: both run)")
    host.run("useradd", "-m", "-s", "/bin/bash", "alice")
    host.run("chpasswd", input=f"alice:{PASSWORD}\n")
    root(host, "magotpctl", "account", "add", "alice", "--first", "Alice", "--last", "Example",
         "--email", "alice@example.org")
    key = root(host, "magotpctl", "license", "issue", "--product", "phone-us").split()[0]
    say("\n2. Alice types the key and registers her phone")
    person(host, [("(?i)key.*: ", key)], "as", "magotp", "activate")
    before = len(host.messages())
    person(host, [(r"(?i)(\[y/n\]|use .*\?|right\?|enter.*:)[^\n]*$", "") for _ in range(0)]
           + [("(?i)code: ", lambda: code_of(host, before))],
           "as", "magotp", "phone", "add", NUMBER)


def log_in(host):
    say("\n3. Alice logs in over ssh: password, choice, code")
    host.sshd()
    before = len(host.messages())
    command = host.ssh_command("alice", "magotp status")
    print(f"$ ssh -p {host.sshd_port} alice@127.0.0.1 magotp status", flush=True)
    child = host.spawn(*command)
    child.logfile_read = Terminal()
    child.expect("Password: ?")
    child.sendline(PASSWORD)
    child.expect("Enter for 1: ?")
    child.sendline("1")
    child.expect("Code: ?")
    child.sendline(code_of(host, before))
    import pexpect
    child.expect(pexpect.EOF)
    child.close()
    if child.exitstatus != 0 or "Phone OTP" not in child.before:
        raise SystemExit("demo: the login did not end in a session with Phone OTP")


def stay(host):
    say("\nIt stays up until you press Ctrl-C. In another terminal:")
    print(f"  ssh -p {host.sshd_port} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no "
          "-o PreferredAuthentications=keyboard-interactive alice@127.0.0.1")
    print(f"  password   {PASSWORD}")
    print(f"  messages   {host.outbox}/  (newest file: ls -t | head -1)")
    print(f"  a root shell on the private host:  nsenter -m -t {host.holder.pid}")
    sys.stdout.flush()
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--stay", action="store_true")
    options = parser.parse_args()
    stage = stage_install(Path(options.build))
    with Host(stage) as host:
        set_up(host)
        log_in(host)
        if options.stay:
            stay(host)
    import shutil
    shutil.rmtree(stage)
    say("\nThat was real: sshd, PAM, otpcored and magotp-smsd on a private copy of this host.")
    print(f"What stays behind: the build in {options.build}, and the Debian packages it needed.")
    print("Look around yourself: ./demo --stay")


main()
