"""su_target = caller: root's su is told to begin for who calls it; nobody else is."""

import pwd

import pytest

from house import needs_root

WEB = pwd.getpwnam("www-data").pw_uid
ASK, CALLER = 1, 6


@pytest.fixture
def su(house):
    house.conf(broker={"verifiers": "www-data:su"}, **{"service su": {"su_target": "caller"}})
    house.start()
    for name, uid in (("anna", 12001), ("ben", 12002)):
        house.account(name, uid=uid)
        house.phone(name)
    return house


def decision(house, **fields):
    login = house.login("anna", **{"service": "su", **fields})
    return login.begin["decision"]


def test_the_caller_is_wanted_and_gets_nothing_of_the_target(su):
    login = su.login("anna", "su", ruser="ben")
    assert (login.begin["decision"], login.txn) == (CALLER, b"")
    assert login.begin["factors"] == []
    assert su.login("ben", "su", ruser="ben").begin["decision"] == ASK


def test_elsewhere_the_target_is(su):
    assert decision(su, ruser="") == ASK
    assert decision(su, ruser="anna") == ASK
    assert decision(su, ruser="ben", service="sshd") == ASK
    assert decision(su, ruser="ben", rhost="10.0.0.1") == ASK  # a name from the network


@needs_root
def test_a_verifier_names_no_callers(su):
    assert decision(su, ruser="ben", uid=WEB) == ASK
