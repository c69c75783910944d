"""exempt_groups: root's module is asked which of them the user is in; nobody else is."""

import pwd

import pytest

from house import needs_root

WEB = pwd.getpwnam("www-data").pw_uid
NOTHING, CAN, TOLD = 0, 1, 2
ASK, PASS, EXEMPT, DENY, GROUPS = 1, 2, 3, 4, 7
ANNA = 12001

pytestmark = needs_root


@pytest.fixture
def house(house):
    house.conf(broker={"verifiers": "www-data:sshd"},
               **{"service sshd": {"exempt_groups": "wheel backup", "exempt_users": "carl"},
                  "service open": {}})
    house.start()
    house.account("anna", uid=ANNA)
    house.account("carl", uid=12003)
    house.phone("anna")
    return house


def decision(house, user="anna", service="sshd", uid=None, **fields):
    return house.login(user, service, uid=uid, **fields).begin["decision"]


def account(house, txn=b"", **fields):
    return house.call("account", {"txn": txn, "user": "anna", "service": "sshd",
                                  "uid": ANNA, **fields})[1]


def test_root_is_asked_for_the_groups_that_count(house):
    login = house.login("anna", tells_groups=CAN)
    assert (login.begin["decision"], login.begin["groups"]) == (GROUPS, "wheel backup")
    assert (login.txn, login.begin["factors"], login.begin["notices"]) == (b"", [], [])
    reply = account(house, tells_groups=CAN)
    assert (reply["decision"], reply["groups"], reply["factors"]) == (GROUPS, "wheel backup", [])


@pytest.mark.parametrize("groups, exempt", [("wheel", True), ("users backup", True), ("", False),
                                            ("users", False), ("whee", False)])
def test_a_member_is_exempt_in_both_phases(house, groups, exempt):
    told = {"tells_groups": TOLD, "groups": groups}
    login = house.login("anna", **told)
    assert login.begin["decision"] == (EXEMPT if exempt else ASK)
    if exempt:
        result, reply = login.account(**told)
        assert (reply["decision"], reply["strength"]) == (EXEMPT, "password")
        # Account does not go by what begin was told.
        assert account(house, login.txn)["decision"] == DENY
    assert account(house, **told)["decision"] == (EXEMPT if exempt else DENY)


def test_it_is_asked_only_where_it_decides(house):
    assert decision(house, "carl", tells_groups=CAN) == EXEMPT
    assert decision(house, service="open", tells_groups=CAN) == ASK
    assert decision(house, tells_groups=NOTHING) == ASK
    assert decision(house, tells_groups=NOTHING, groups="wheel") == ASK
    assert decision(house, tells_groups=CAN, proof=0) == DENY  # the password first (L1)
    assert decision(house, tells_groups=99, groups="wheel") == ASK


def test_threat_09_a_verifiers_word_about_groups_exempts_nobody(house):
    for tells in (CAN, TOLD):
        assert decision(house, uid=WEB, tells_groups=tells, groups="wheel backup") == ASK


def test_threat_01_nor_does_the_users_own(house):
    for tells in (CAN, TOLD):
        login = house.login("anna", uid=ANNA, tells_groups=tells, groups="wheel backup")
        assert login.begin["decision"] == ASK


def test_elevating_is_not_spared(house):
    house.conf(**{"service *": {"exempt_groups": "wheel"}})
    house.stop("broker")
    house.start_broker()
    for tells in (CAN, TOLD):
        assert decision(house, service="elevate", tells_groups=tells, groups="wheel") == ASK
