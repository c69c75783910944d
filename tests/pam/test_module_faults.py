"""threat 35: each system call of the module, each one of libc's that it asks for, fails
once in a whole login: never PAM_SUCCESS from a phase that failed without a proof, never
PAM_IGNORE, no crash. (Allocations: test_module.py.)"""

import errno
import os

import pytest

import house as houses
from inject import Inject, KINDS
from test_module import STACKS, answers_of, application, house  # noqa: F401

PHASES = ("authenticate", "account", "setcred", "open", "close")
LONG = os.environ.get("MAGOTP_LONG", "0") != "0"
# More than one way to fail, where that is told apart (all of them in the long run).
ERRORS = {"connect": (errno.ECONNREFUSED, errno.EAGAIN, errno.EINTR),
          "recv": (errno.ECONNRESET, errno.EAGAIN, errno.EINTR), "poll": (errno.EINTR, errno.ENOMEM),
          "send": (errno.EAGAIN, errno.ENOBUFS)}


@pytest.fixture
def inject(house):  # noqa: F811
    if houses.sanitized():
        pytest.skip("the sanitizer's runtime comes first")
    return Inject(house.dir, house.build)


def login(pam, house, number, texts):  # noqa: F811
    """The results of all phases, in order, as an application asks for them: none
    after one that failed."""
    results = {}
    for phase in PHASES:
        results[phase], _ = pam.do(phase, answers_of(house, number, texts)
                                   if phase == "authenticate" else ())
        if results[phase] != "SUCCESS" and phase != "open":
            break
    return results


@pytest.mark.parametrize("what", ["right", "wrong"])
def test_threat_35_each_call_of_the_module_fails_once(house, inject, what):  # noqa: F811
    texts, end = STACKS[what]
    house.conf(phone={"resend_wait": "0", "sends_per_hour": 100, "sends_per_day": 2400},
               throttle={"total_30d": 100, "delay": "0", "delay_max": "0"})
    house.stop("broker")
    house.start_broker()
    hit, users = {}, 0
    with application(house, ["user%d" % n for n in range(400)], preload=[inject.library],
                     environ={"MAGOTP_INJECT": inject.path}) as pam:

        def one(kind, nth, error):
            nonlocal users
            if users % 20 == 0:  # an account has few wrong codes and messages to spend
                house.account("user%d" % users)
                house.number_now = house.phone("user%d" % users)
            user, users = "user%d" % (users - users % 20), users + 1
            pam.start("sshd", user, rhost="203.0.113.%d" % (nth % 250))
            inject.watch(pam.p.pid, "pam_magotp")
            inject.arm(kind, nth=nth, error=error)
            results = login(pam, house, house.number_now, texts)
            failed = inject.failed(kind)
            inject.off()
            pam.end()
            return results, failed

        for kind in KINDS:
            if kind == "alloc":
                continue  # libpam's, too: test_module.py
            for error in ERRORS.get(kind, (errno.EIO,))[:None if LONG else 1]:
                for nth in range(1, 200):
                    results, failed = one(kind, nth, error)
                    assert "IGNORE" not in results.values(), (kind, nth, results)
                    if what == "wrong":
                        assert results["authenticate"] != "SUCCESS", (kind, nth, results)
                    if not failed:
                        break
                    hit[kind] = hit.get(kind, 0) + 1
                assert results["authenticate"] == end, (kind, nth, results)
    print("\n%s: failed once each: %s; %d in all" % (what, hit, sum(hit.values())))
    assert {"connect", "socket", "send", "recv", "poll"} <= set(hit)
