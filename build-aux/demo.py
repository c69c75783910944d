"""The main job, shown: called by ./demo with the build folder.

Everything runs on a private copy of this host (tests/system/host.py): a real
sshd on loopback, the real daemons, messages into a folder instead of a gateway.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/system"))
from host import Host, stage_install, until_end  # noqa: E402

PASSWORD = "correct horse 7"
NUMBER = "+12025550134"
SERIAL = "HT-0003401"
SEED = "3132333435363738393031323334353637383930"  # RFC 4226, Appendix D
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def say(text=""):
    print(f"\033[1m{text}\033[0m" if COLOUR else text, flush=True)


class Terminal:
    """What a child prints goes to our stdout as a person would see it."""

    def write(self, text):
        sys.stdout.write(text.replace("\r", ""))

    def flush(self):
        sys.stdout.flush()


def root(host, *command):
    """One command of the administrator, shown with what it prints."""
    print(f"# {shlex.join(command)}", flush=True)
    done = host.run(*command)
    sys.stdout.write(done.stderr + done.stdout)
    return done.stdout


def dialogue(host, command, answers):
    """A program on a terminal; answers are (what is waited for, what is typed)."""
    child = host.spawn(*command)
    child.logfile_read = Terminal()
    for prompt, typed in answers:
        child.expect(prompt)
        child.sendline(typed() if callable(typed) else typed)
    seen = until_end(child)
    if child.exitstatus != 0:
        raise SystemExit(f"demo: {command[0]} ended with {child.exitstatus}")
    return seen


def alice(host, *command, answers):
    print(f"$ {shlex.join(command)}", flush=True)
    dialogue(host, ("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", *command), answers)


def next_code(host):
    """What the person does: waits for the phone to buzz, reads, types."""
    before = sum(m["to"] == NUMBER for m in host.messages())  # e-mails go there, too

    def read():
        message = host.message(NUMBER, after=before)
        print(f"\n  [phone ...0134, {message['channel']}] {message['text']}")
        code = host.code(message)
        print(f"  [typed] {code}", end="", flush=True)
        return code
    return read


def set_up(host):
    say("\n1. The administrator sets magotp up and issues a licence key")
    host.install(conf="[policy]\nhelp = helpdesk@example.org\n", show=root)
    host.run("useradd", "-m", "-s", "/bin/bash", "alice")
    host.run("chpasswd", input=f"alice:{PASSWORD}\n")
    root(host, "magotpctl", "account", "add", "alice", "--first", "Alice", "--last", "Example",
         "--email", "alice@example.org")
    key = root(host, "magotpctl", "license", "issue", "--product", "phone-us").strip()

    say("\n2. Alice types the key and registers her phone")
    alice(host, "magotp", "activate", answers=[("key: ", key)])
    alice(host, "magotp", "phone", "add", NUMBER,
          answers=[(r"\[Y/n\] ", ""), ("(?i)code: ", next_code(host))])


def token_code(counter):
    """What the token shows after so many presses of its button."""
    return subprocess.run(["oathtool", "--hotp", f"--counter={counter}", SEED],
                          capture_output=True, text=True, check=True).stdout.strip()


def log_in_with_token(host):
    say("\n4. A hardware token: imported, activated with two codes, used to log in")
    host.write("/root/tokens.csv", "serial,type,secret,digits,counter,algorithm\n"
               f"{SERIAL},hotp,{SEED},6,0,sha1\n", 0o600)
    root(host, "magotpctl", "token", "import", "/root/tokens.csv")
    key = root(host, "magotpctl", "license", "issue", "--product", "hardware").strip()
    alice(host, "magotp", "activate", answers=[("key: ", key)])
    # She has a phone already: what changes her factors asks for its code first.
    alice(host, "magotp", "token", "add", SERIAL, token_code(0), token_code(1),
          answers=[("Enter for 1: ?", ""), ("Code: ?", next_code(host))])
    print(f"$ ssh -t -p {host.sshd_port} alice@127.0.0.1 magotp status", flush=True)
    seen = dialogue(host, host.ssh_command("alice", "magotp status", options=("-o", "LogLevel=ERROR")),
                    [("Password: ?", PASSWORD), ("Enter for 1: ?", token_code(2))])
    if "OTP Hardware Token" not in seen:
        raise SystemExit("demo: the login did not end in a session with the token's strength")


def log_in(host):
    say("\n3. Alice logs in over ssh: password, choice of phone, code")
    host.sshd()
    print(f"$ ssh -t -p {host.sshd_port} alice@127.0.0.1 magotp status", flush=True)
    seen = dialogue(host, host.ssh_command("alice", "magotp status", options=("-o", "LogLevel=ERROR")),
                    [("Password: ?", PASSWORD), ("Enter for 1: ?", "1"), ("Code: ?", next_code(host))])
    if "Phone OTP" not in seen:
        raise SystemExit("demo: the login did not end in a session with Phone OTP")


def stay(host):
    say("\nIt stays up until you press Ctrl-C. In another terminal:")
    print(f"  ssh -p {host.sshd_port} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no "
          "-o PreferredAuthentications=keyboard-interactive alice@127.0.0.1")
    print(f"  password   {PASSWORD}")
    print(f"  messages   {host.outbox}/  (newest file: ls -t | head -1)")
    print(f"  a root shell on the private host:  nsenter -m -r -t {host.holder.pid}")
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
        log_in_with_token(host)
        if options.stay:
            stay(host)
    shutil.rmtree(stage)
    say("\nThat was real: sshd, PAM, otpcored and magotp-smsd on a private copy of this host.")
    print(f"What stays behind: the build in {options.build}, and the Debian packages it needed.")
    print("Look around yourself: ./demo --stay")


main()
