"""The audit log to who collects logs: every value is a field that can be asked for. No
journald runs here; a socket of ours stands for its own."""

import json

from host import wait_for

# One line per datagram, as it came.
COLLECTOR = """
import os, socket, sys
os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("there", flush=True)
with open(sys.argv[2], "a") as f:
    while True:
        f.write(repr(s.recv(1 << 16)) + "\\n")
        f.flush()
"""


def test_records_are_fields_of_the_journal_and_of_syslog(empty_host):
    host = empty_host
    host.install()
    host.run("magotpctl", "account", "add", "alice")
    host.run("magotpctl", "account", "add", 'b"o]b', check=False)
    records = [json.loads(line) for line in host.run("magotpctl", "audit", "export").stdout.splitlines()]
    number, last = next(r["record"] for r in records if r["event"] == "account_add"), records[-1]["record"]

    nobody = host.run("magotpctl", "audit", "export", "--to", "journal", check=False)
    assert nobody.returncode != 0, "there is no journal"

    host.write("/root/collect.py", COLLECTOR)
    journal = host.shared / "journal"
    host.daemon("/usr/bin/python3", "/root/collect.py", "/run/systemd/journal/socket", journal,
                ready=b"there")
    said = json.loads(host.run("magotpctl", "--json", "audit", "export", "--to", "journal").stdout)
    assert said == {"sent": len(records), "last": last}
    wait_for("the records", lambda: len(journal.read_text().splitlines()) == len(records))
    one = next(line for line in journal.read_text().splitlines() if "MAGOTP_RECORD=%d\\n" % number in line)
    for field in ("MESSAGE=account_add account=alice service=-: ok", "PRIORITY=5", "MAGOTP_EVENT=account_add",
                  "SYSLOG_IDENTIFIER=magotp-audit", "MAGOTP_ACCOUNT=alice", "MAGOTP_RESULT=ok"):
        assert field + "\\n" in one, (field, one)
    assert "MAGOTP_PEER=0/" in one

    # What was sent already is not sent again.
    said = host.run("magotpctl", "audit", "export", "--to", "syslog", "--after", str(last - 1)).stdout
    assert said == "1 records sent, the last is %d.\n" % last
    host.run("magotpctl", "audit", "export", "--to", "syslog")
    wait_for("the line", lambda: f'[magotp@32473 record="{number}" time="' in host.syslog())
    line = next(x for x in host.syslog().splitlines() if f'record="{number}"' in x)
    assert line.startswith("<85>1 20") and 'account="alice" service="-"' in line
    assert line.endswith('] account_add account=alice service=-: ok')
    assert '"b"o]b"' not in host.syslog()


def test_where_to_and_from_where_are_checked(empty_host):
    empty_host.install()
    for options in (("--to", "mars"), ("--after", "x")):
        done = empty_host.run("magotpctl", "audit", "export", *options, check=False)
        assert done.returncode == 2 and options[1] in done.stderr
