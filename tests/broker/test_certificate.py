"""Certificates whose keys log in over ssh (rules C1, C2)."""

import os
import pwd

import pytest

from authority import HARDWARE, SOFTWARE, Authority
from house import needs_root

pytestmark = needs_root

GAMES, NEWS = pwd.getpwnam("games").pw_uid, pwd.getpwnam("news").pw_uid
@pytest.fixture
def authority(open_dir):
    os.mkdir(os.path.join(open_dir, "authority"))
    return Authority(os.path.join(open_dir, "authority"))


@pytest.fixture
def house(house, authority):
    house.conf(**{"certificates": {"ca": authority.ca, "mloa-software": SOFTWARE,
                                   "mloa-hardware": HARDWARE}})
    house.time_travel(0)
    house.start()
    house.account("games", uid=GAMES, email="games@example.org")
    house.account("news", uid=NEWS)
    return house


def add(house, user, pem, cls="mloa-software", uid=None, **fields):
    result, reply = house.call("certificate_add", {"user": user, "pem": pem, "class": cls,
                                                   **fields}, uid=uid)
    return result.verdict if not result.error else result.error, reply, result


def begin(house, info, user="games", uid=GAMES, service="sshd", **fields):
    result, reply = house.call("begin", {"user": user, "service": service, "uid": uid,
                                         "proof": 3, "auth_info": info, **fields})
    return result.verdict, reply


@pytest.mark.parametrize("kind", ["rsa", "ec", "ec384", "ed25519"])
def test_C1_the_key_of_a_certificate_logs_in_without_a_code(house, authority, kind):
    pem = authority.certificate("games", kind)
    assert add(house, "games", pem)[0] == "ok"
    verdict, reply = begin(house, authority.auth_info("games"), require="mloa-software", level=3)
    assert verdict == "ok"
    assert (reply["strength"], reply["has_level"]) == ("mloa-software", 3)
    # The account phase believes the ticket, not the environment.
    result, account = house.call("account", {"txn": reply["txn"], "user": "games",
                                             "service": "sshd", "uid": GAMES,
                                             "require": "mloa-software", "level": 3})
    assert (result.verdict, account["strength"]) == ("ok", "mloa-software")


def test_C1_a_class_that_is_too_weak_is_asked_for_more(house, authority):
    house.phone("games")
    assert add(house, "games", authority.certificate("games"), "bloa")[0] == "ok"
    verdict, reply = begin(house, authority.auth_info("games"))
    assert (verdict, reply["strength"], len(reply["factors"])) == ("ok", "", 1)


def test_C1_another_key_gives_nothing(house, authority):
    assert add(house, "games", authority.certificate("games"))[0] == "ok"
    authority.certificate("other")
    verdict, reply = begin(house, authority.auth_info("other"))
    assert reply["strength"] == ""


def test_C2_a_key_of_another_account_is_an_error_of_its_own(house, authority):
    pem = authority.certificate("games")
    at = house.ok("ping")["started_at"]
    signature = authority.sign("games", "magotp certificate games %d" % at)
    assert add(house, "games", pem, signed_at=at, signature=signature)[1]["state"] == "active"
    verdict, reply = begin(house, authority.auth_info("games"), user="news", uid=NEWS)
    assert verdict == "wrong-certificate"
    assert not reply["txn"]
    assert add(house, "news", pem)[0] == "wrong-certificate"


def test_C2_naming_somebodys_certificate_keeps_nobody_out(house, authority):
    """Certificates are public: without the key they bind nothing."""
    pem = authority.certificate("games")
    assert add(house, "news", pem)[1]["state"] == "pending"
    assert add(house, "games", pem)[0] == "ok"
    assert begin(house, authority.auth_info("games"))[1]["strength"] == "mloa-software"


def test_C1_a_signature_must_be_the_keys(house, authority):
    pem = authority.certificate("games", "rsa")
    authority.certificate("other", "rsa")
    at = house.ok("ping")["started_at"]
    text = "magotp certificate games %d" % at
    for how in ({"signature": authority.sign("other", text), "signed_at": at},
                {"signature": authority.sign("games", text), "signed_at": at + 1},
                {"signature": authority.sign("games", "magotp certificate games %d" % (at - 999)),
                 "signed_at": at - 999},
                {"signature": b"", "signed_at": at}):
        assert add(house, "games", pem, **how)[0] == "certificate-refused", how
    assert add(house, "games", pem, signature=authority.sign("games", text), signed_at=at)[0] == "ok"


def refusal(house, pem, cls="mloa-software"):
    verdict, _, result = add(house, "games", pem, cls)
    assert verdict == "certificate-refused"
    return result.detail


def test_C1_what_is_refused(house, authority, open_dir):
    os.mkdir(os.path.join(open_dir, "elsewhere"))
    elsewhere = Authority(os.path.join(open_dir, "elsewhere"), "elsewhere")
    good = authority.certificate("games")
    assert refusal(house, elsewhere.certificate("games")) == "unknown authority"
    assert refusal(house, b"no certificate") == "this is no certificate"
    assert refusal(house, good[:-100]) == "this is no certificate"
    assert refusal(house, authority.certificate("server", purpose="serverAuth")) == (
        "not made for logging in")
    house.time_travel(31 * 86400)
    assert refusal(house, good) == "expired"


def test_C1_an_expired_one_gives_nothing(house, authority):
    assert add(house, "games", authority.certificate("games"))[0] == "ok"
    house.time_travel(31 * 86400)
    assert begin(house, authority.auth_info("games"))[1]["strength"] == ""
    (row,) = house.ok("certificate_list", {"user": "games"})["certificates"]
    assert row["fault"] == "expired"


def restart(house):
    house.stop("broker")
    house.start_broker()


def test_C1_revoked_ones_and_old_lists(house, authority):
    pem = authority.certificate("games")
    assert add(house, "games", pem)[0] == "ok"
    authority.revoke()
    house.conf(certificates={"crl": authority.crl})
    restart(house)
    assert begin(house, authority.auth_info("games"))[1]["strength"] == "mloa-software"
    authority.revoke("games")
    restart(house)
    assert begin(house, authority.auth_info("games"))[1]["strength"] == ""
    second = authority.certificate("second")
    assert add(house, "games", second)[0] == "ok"
    assert refusal(house, pem) == "revoked"
    # A list that is over counts for nothing: fail closed.
    authority.revoke(days=1)
    restart(house)
    assert begin(house, authority.auth_info("second"))[1]["strength"] == "mloa-software"
    house.time_travel(2 * 86400)
    assert begin(house, authority.auth_info("second"))[1]["strength"] == ""


def test_C1_people_cannot_choose_a_class_or_another_persons(house, authority):
    """Without an administrator the policy says the class, and the address the person."""
    mine = authority.certificate("games")
    assert add(house, "games", mine, "mloa-hardware", uid=GAMES)[0] == "certificate-refused"
    stranger = authority.certificate("stranger", email="stranger@example.org")
    assert add(house, "games", stranger, uid=GAMES)[0] == "certificate-refused"
    assert add(house, "games", mine, uid=NEWS)[0] == "PERM"
    assert add(house, "games", mine, uid=GAMES)[0] == "ok"


def test_P6_with_a_second_factor_it_takes_one_to_add_or_delete(house, authority):
    house.phone("games")
    pem = authority.certificate("games")
    assert add(house, "games", pem, uid=GAMES)[0] == "elevate-first"
    assert add(house, "games", pem)[0] == "ok"
    result, _ = house.call("certificate_delete", {"user": "games", "id": "c1"}, uid=GAMES)
    assert result.verdict == "elevate-first"
    house.ok("certificate_delete", {"user": "games", "id": "c1"})
    assert begin(house, authority.auth_info("games"))[1]["strength"] == ""


def test_threat_01_what_an_ordinary_peer_says_of_keys_is_not_believed(house, authority):
    assert add(house, "games", authority.certificate("games"))[0] == "ok"
    result, reply = house.call("begin", {"user": "games", "service": "sshd", "uid": GAMES,
                                         "proof": 3, "auth_info": authority.auth_info("games")},
                               uid=GAMES)
    assert result.verdict == "requirements-not-met" and reply["strength"] == ""


def test_without_authorities_no_certificate_counts(house, authority):
    assert add(house, "games", authority.certificate("games"))[0] == "ok"
    os.unlink(authority.ca)
    restart(house)
    assert begin(house, authority.auth_info("games"))[1]["strength"] == ""
    assert refusal(house, authority.auth_info("games")) == "no authorities are configured"
