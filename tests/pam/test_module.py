"""What a text of prompts and answers can't say: transcripts that have to be the
same, and failures of memory."""

import os
import re

import pytest

import house as houses
from talk import Pam

PASSWORD = "correct horse"
NESTED = {
    "sshd": "auth required pam_magotp.so prompt_password password_service=login socket={socket}\n"
            "account required pam_magotp.so socket={socket}\n"
            "session required pam_magotp.so socket={socket}\n",
    "login": "auth required pam_permit.so\nauth required pam_matrix.so passdb={passdb}\n"
             "account required pam_permit.so\n",
}


@pytest.fixture
def house(tmp_path):
    with houses.House(tmp_path, phone={"sends_per_hour": 100, "resend_wait": "1s"},
                      throttle={"total_30d": 100, "per_source": 10000}) as h:
        h.start()
        yield h


def application(house, users, services=NESTED, preload=(), environ=()):
    passdb = os.path.join(house.dir, "passdb")
    with open(passdb, "w") as f:
        f.writelines("%s:%s:sshd\n" % (u, PASSWORD) for u in users)
    filled = {n: s.replace("{socket}", house.socket).replace("{passdb}", passdb)
              for n, s in services.items()}
    return Pam(house.dir, house.build, filled, preload, environ)


def transcript(pam, user, answers):
    """Everything shown, without the user's name and the digits of phones."""
    pam.start("sshd", user, rhost="203.0.113.7")
    code, seen = pam.do("authenticate", answers)
    pam.end()
    same = [(kind, re.sub(r"\b\d{4}\b", "NNNN", re.sub(re.escape(user), "USER", text)))
            for kind, text in seen]
    return code, [(k, re.sub(r"\d+ (seconds|minutes)", "TIME", t)) for k, t in same]


def test_L10_nobody_and_a_wrong_code_look_the_same(house):
    """Rule L10: an account that does not exist, one without a phone, and a wrong
    code give one transcript."""
    house.account("alice")
    number = house.phone("alice")
    house.account("bob")
    first = house.login("alice", "elsewhere")
    first.send()
    first.verify(house.code(number))
    alice = lambda: houses.wrong(house.code(number))
    seen = {}
    with application(house, ["alice", "bob", "carol"]) as pam:
        for user in ("alice", "bob", "carol"):
            code = alice if user == "alice" else "111111"
            seen[user] = transcript(pam, user, [PASSWORD, "1", code, code, code])
    # A made-up phone may be one nobody used yet, or have a second one beside it:
    # what does not depend on that has to be the same.
    def plain(t):
        code, lines = t
        return code, [(kind, text) for kind, text in lines if not text.startswith("Second step")]
    assert plain(seen["bob"]) == plain(seen["carol"]) == plain(seen["alice"])
    assert seen["alice"][0] == "MAXTRIES"
    assert len(seen["alice"][1]) == len(seen["bob"][1]) == len(seen["carol"][1])


def test_combined_wrong_password_and_wrong_code_look_the_same(house):
    house.account("alice")
    house.phone("alice")
    services = dict(NESTED, sshd=NESTED["sshd"].replace("socket=", "mode=combined socket="))
    with application(house, ["alice"], services) as pam:
        wrong_code = transcript(pam, "alice", [PASSWORD + ",111111"])
        wrong_password = transcript(pam, "alice", ["wrong,111111"])
        alone = transcript(pam, "alice", [PASSWORD])
    assert wrong_code == wrong_password == alone == ("AUTH_ERR", [("off", "Password: ")])


def test_threat_21_names_and_places_with_escapes(house):
    """Escapes in the user's name reach neither prompts nor another account."""
    house.account("alice")
    house.phone("alice")
    nasty = "al\x1b[2Jice"
    services = {"sshd": "auth required pam_magotp.so socket={socket}\n"}
    with application(house, [], services) as pam:
        for user in (nasty, "x" * 300, "al\udcffice"):  # the last is no UTF-8
            pam.start("sshd", user, rhost="evil\x1b]0;x\x07\nhost")
            code, seen = pam.do("authenticate", ["1", "111111", "111111", "111111"])
            pam.end()
            assert code in ("MAXTRIES", "USER_UNKNOWN")
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\xff\udc80-\udcff]", "".join(t for _, t in seen))


def test_threat_39_nothing_is_believed_that_the_environment_says(house):
    """su and sudo keep much of the caller's environment. The module speaks the account's
    language to the configured broker, whatever stands there."""
    house.account("alice")
    number = house.phone("alice")
    hostile = {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de:fr:ja",
               "TEXTDOMAINDIR": house.dir, "NLSPATH": house.dir, "HOME": "/nonexistent",
               "TMPDIR": "/nonexistent", "USER": "root", "LOGNAME": "root",
               "MAGOTP_SOCKET": "/nonexistent/sock", "MAGOTP_CONFIG": "/nonexistent/conf",
               "MAGOTP_TXN": "x" * 40, "MAGOTP_STRENGTH": "mloa-hardware",
               "OPENSSL_CONF": "/nonexistent", "MALLOC_PERTURB_": "85"}
    seen = []
    for environ in ({}, {}, hostile):  # the first one hears of the carrier's charge
        with application(house, ["alice"], environ=environ) as pam:
            pam.start("sshd", "alice")
            code, said = pam.do("authenticate", [PASSWORD, "1", lambda: house.code(number)])
            assert code == "SUCCESS"
            seen.append(said)
            pam.end()
    assert seen[1] == seen[2] != seen[0]


def test_threat_12_a_name_that_is_somebody_elses_by_now(house):
    """The account's number is not the user's on this host: as if there were none."""
    house.account("daemon", uid=4242)
    number = house.phone("daemon", "+12025550199")
    services = {"sshd": "auth required pam_magotp.so socket={socket}\n"}
    with application(house, [], services) as pam:
        sent = len(house.messages(number))
        pam.start("sshd", "daemon")
        code, seen = pam.do("authenticate", ["1", lambda: house.code(number)] + ["111111"] * 3)
        pam.end()
        assert code == "MAXTRIES"
        assert "0199" not in str(seen)
        assert len(house.messages(number)) == sent


def test_threat_16_a_changed_user_is_refused(house):
    """pam_set_items makes PAM_USER root inside the password service."""
    house.account("alice")
    house.phone("alice")
    services = dict(NESTED, login=NESTED["login"] + "account required pam_set_items.so\n")
    with application(house, ["alice"], services, environ={"PAM_USER": "root"}) as pam:
        pam.start("sshd", "alice")
        code, seen = pam.do("authenticate", [PASSWORD])
        pam.end()
    assert (code, seen) == ("AUTH_ERR", [("off", "Password: ")])


# ---- threat 35: a failing allocation is never a way in ----

STACKS = {
    # alone in its stack, so that IGNORE would be seen as PERM_DENIED of libpam
    # and SUCCESS as SUCCESS
    "right": (["{password}", "1", "{code}"], "SUCCESS"),
    "wrong": (["{password}", "1", "{wrong}", "{wrong}", "{wrong}"], "MAXTRIES"),
    "junk": (["{password}", "\b\n\r\x7fINCORRECT"], "MAXTRIES"),
}


def answers_of(house, number, texts):
    def one(text):
        text = text.replace("{password}", PASSWORD)
        if "{code}" in text:
            text = text.replace("{code}", house.code(number))
        if "{wrong}" in text:
            text = text.replace("{wrong}", houses.wrong(house.code(number)))
        return text
    return [lambda t=t: one(t) for t in texts]


@pytest.fixture
def failing(house):
    """The preload that makes allocations fail."""
    if houses.sanitized():
        pytest.skip("the sanitizer has its own malloc")
    return [os.path.join(house.build, ".libs/alloc_fail.so")]


def phases(pam, answers, fail_in, nth):
    """Runs all phases; the nth allocation in phase `fail_in` fails. The results,
    and whether one did fail."""
    results, failed = {}, False
    for phase in ("authenticate", "account", "setcred", "open", "close"):
        if phase == fail_in:
            pam.ask("arm %d" % nth)
        results[phase], _ = pam.do(phase, answers if phase == "authenticate" else ())
        if phase == fail_in:
            failed = pam.ask("armed")[1] == "1"
    return results, failed


@pytest.mark.parametrize("phase", ["authenticate", "account", "open", "close"])
def test_threat_35_each_allocation_fails_once(house, failing, phase):
    """The module's own allocations, one after the other: a phase in which one
    failed never succeeds, and afterwards everything works again."""
    house.conf(phone={"resend_wait": "1s", "sends_per_hour": 1000})
    house.account("alice")
    number = house.phone("alice")
    with application(house, ["alice"], preload=failing) as pam:
        for nth in range(1, 400):
            pam.start("sshd", "alice", rhost="203.0.113.%d" % (nth % 250))
            answers = answers_of(house, number, STACKS["right"][0])
            results, failed = phases(pam, answers, phase, nth)
            pam.end()
            if not failed:
                assert results[phase] == "SUCCESS", (nth, results)
                break
            assert results[phase] not in ("SUCCESS", "IGNORE"), (nth, results)
        assert 1 < nth < 400


def test_threat_35_setcred_keeps_the_ticket_or_fails(house, failing):
    """sshd's parent: setcred without the auth of the same process."""
    with application(house, [], preload=failing) as pam:
        for nth, want in ((1, "CRED_ERR"), (2, "CRED_ERR"), (0, "SUCCESS")):
            pam.start("sshd", "alice")
            pam.ask("putenv MAGOTP_TXN=AAAA")
            pam.ask("arm %d" % nth)
            assert pam.do("setcred")[0] == want
            pam.end()


@pytest.mark.parametrize("what", ["wrong", "junk"])
def test_threat_35_failures_do_not_turn_a_refusal(house, failing, what):
    texts, end = STACKS[what]
    house.account("alice")
    number = house.phone("alice")
    with application(house, ["alice"], preload=failing) as pam:
        for nth in range(1, 60):
            pam.start("sshd", "alice", rhost="203.0.113.%d" % nth)
            pam.ask("arm %d" % nth)
            code, _ = pam.do("authenticate", answers_of(house, number, texts))
            failed = pam.ask("armed")[1] == "1"
            pam.end()
            assert code not in ("SUCCESS", "IGNORE"), (nth, code)
            if not failed:
                break
        assert nth > 3
