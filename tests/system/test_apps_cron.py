"""cron and at: account and session only, with no conversation at all (security.md 17).

Jobs are @reboot: cron runs them as it starts; those of at are due at once.
"""

import pytest

import apps
from host import ROOT, wait_for


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
        # None of this machine's own jobs.
        host.run("sh", "-c", "rm -rf /etc/cron.d/* /etc/crontab /var/spool/cron/crontabs/*")
        # What runs is alice's: her environment, then the file that says so.
        host.run("crontab", "-u", "alice", "-",
                 input='MAILTO=""\n@reboot env > env.new && mv env.new ran\n')
        yield host


@pytest.fixture
def cron(host):
    """start(stack): cron anew; its child is still there afterwards."""
    started = []

    def start(stack):
        host.run("rm", "-f", "/run/crond.reboot", "/home/alice/ran")
        host.write("/etc/pam.d/cron", stack)
        host.log.write_text("")
        started.append(host.daemon("cron", "-f", "-L", "7"))

    yield start
    for child in started:
        assert child.poll() is None, "cron has survived"
        host.stop(child)


def shipped():
    return (ROOT / "conf/examples/cron").read_text()


def ran(host):
    done = host.run("cat", "/home/alice/ran", check=False)
    return done.stdout if done.returncode == 0 else None


def refused(host, why):
    """cron's own word, of libpam's result."""
    return any("CRON[" in line and line.endswith(why) for line in host.syslog().splitlines())


def test_threat_17_a_job_runs_and_nobody_is_asked(host, cron):
    asked = host.logs().count("service=cron")
    cron(shipped())
    env = wait_for("the job", lambda: ran(host))
    assert "LOGNAME=alice" in env and "MAGOTP" not in env
    assert host.logs().count("service=cron") == asked, "without the broker"


def test_threat_17_a_job_runs_without_a_broker(host, cron):
    with apps.broker_down(host):
        cron(shipped())
        wait_for("the job", lambda: ran(host))


def test_a_line_that_requires_more_refuses_the_job(host, cron):
    """Nobody is there to prove it; cron has no conversation to say so in, and lives on."""
    cron(shipped().replace(" require=password", ""))
    wait_for("a refusal", lambda: refused(host, "Permission denied"))
    assert "requirements-not-met" in host.syslog()
    assert ran(host) is None


def test_a_line_that_requires_more_refuses_the_job_without_a_broker(host, cron):
    with apps.broker_down(host):
        cron(shipped().replace(" require=password", " timeout=1"))
        wait_for("a refusal", lambda: refused(host, "cannot retrieve authentication info"))
    assert ran(host) is None


def test_what_stands_before_holds_too(host, cron):
    host.run("chage", "-E", "0", "alice")
    try:
        cron(shipped())
        wait_for("a refusal", lambda: refused(host, "User account has expired"))
        assert ran(host) is None
    finally:
        host.run("chage", "-E", "-1", "alice")


# ---- at ----

@pytest.fixture
def atd(host):
    """job(stack) -> atd anew, and a job of alice's that is due now."""
    started = []

    def job(stack):
        host.run("rm", "-f", "/home/alice/at-ran")
        host.write("/etc/pam.d/atd", stack)
        host.log.write_text("")
        started.append(host.daemon("atd", "-f", "-b", "0", "-l", "1000"))
        host.run("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "env",
                 "--chdir=/home/alice", "HOME=/home/alice", "USER=alice", "LOGNAME=alice",
                 "at", "now", input="env > at.new && mv at.new at-ran\n")

    yield job
    for child in started:
        assert child.poll() is None, "atd has survived"
        host.stop(child)


def at_ran(host):
    done = host.run("cat", "/home/alice/at-ran", check=False)
    return done.stdout if done.returncode == 0 else None


def test_threat_17_a_job_of_at_runs_and_nobody_is_asked(host, atd):
    asked = host.logs().count("service=atd")
    atd(shipped())
    env = wait_for("the job", lambda: at_ran(host))
    assert "LOGNAME=alice" in env and "MAGOTP" not in env
    assert host.logs().count("service=atd") == asked, "without the broker"


def test_threat_17_a_job_of_at_runs_without_a_broker(host, atd):
    with apps.broker_down(host):
        atd(shipped())
        wait_for("the job", lambda: at_ran(host))


def test_a_line_that_requires_more_refuses_a_job_of_at(host, atd):
    atd(shipped().replace(" require=password", ""))
    wait_for("a refusal", lambda: "requirements-not-met" in host.syslog())
    assert at_ran(host) is None
