"""Leases (security.md 41) beyond test_offline.py: apps, two tokens in one lease, a store in
PostgreSQL, a host that may no longer, and a relay that takes leases without end."""

import base64
import os
import re

import pytest

import oath
import postgres
import relays
from house import needs_root, wrong
from test_offline import (HOUR, TOKEN, Ship, Token, answer, asked, auth, counted, leases,  # noqa: F401
                          position, ship, sign_in)

pytestmark = needs_root

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"  # make check-long
APP = 5
TOTAL, SOURCE = 2, 4


def app_of(house, user):
    """A confirmed app of the account; its codes as a Token's."""
    uri = house.ok("mobile_add", {"user": user})["uri"]
    app = Token.__new__(Token)
    app.seed, app.at = base64.b32decode(re.search(r"secret=([A-Z2-7]+)", uri)[1]), 0
    house.ok("mobile_confirm", {"user": user, "code": app.totp(house)})
    return app


def test_threat_41_an_app_and_a_token_in_one_lease(auth, open_dir):  # noqa: F811
    """Both are offered and taken where nobody answers, each code once; elsewhere neither is. What
    the account has left of tries is shared between them."""
    app, token = app_of(auth, "anna"), auth.hotp
    auth.time_travel(60)
    with Ship(open_dir, auth) as ship:  # noqa: F811
        ship.leased()
        assert sorted(row["state"] for row in auth.ok("lease_list")["leases"]) == ["live"] * 2
        ship.away()
        relay = ship.relay
        login = relay.login("anna")
        assert {f["ref"]: f["kind"] for f in login.begin["factors"]} == {TOKEN: "token", APP: "mobile"}
        code = app.totp(auth)
        result, reply = login.verify(code, ref=APP)
        assert (result.verdict, reply["strength"]) == ("ok", "mobile-id")
        assert sign_in(relay, code, ref=APP) == "code-used"
        used = token.hotp()
        assert sign_in(relay, used) == "ok"
        auth.time_travel(60)
        assert sign_in(relay, app.totp(auth), ref=0) == "ok", "found among both"
        for ref, other in ((APP, app.totp(auth, 1)), (TOKEN, oath.hotp(token.seed, token.at))):
            assert sign_in(auth, other, ref=ref) == "token-leased"
        # Wrong ones of the app lock it; the token goes on.
        got = [sign_in(relay, wrong(app.totp(auth, 500 + i)), ref=APP) for i in range(6)]
        assert got[:4] == ["code-wrong"] * 4 and got[-1] == "token-locked", got
        assert sign_in(relay, token.hotp()) == "ok"
        ship.back()
        relays.wait_for("it is told", lambda: position(auth, "A100") == token.at)
        relays.wait_for("it is charged", lambda: counted(auth, TOTAL) == 5)
        for house in (relay, auth):
            assert sign_in(house, used) != "ok" and sign_in(house, code, ref=APP) != "ok"
        assert sign_in(relay, token.hotp()) == "ok"


def test_threat_41_a_host_that_may_no_longer(auth, ship, open_dir):  # noqa: F811
    """magotpctl host set NAME --offline '': it gives back what it has, and gets none. It cannot
    change that row itself."""
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"
    relays.ctl(auth, "host", "set", "ship1", "--offline", "")
    link = relays.Link(auth, ship.relay.identity)
    mine = {"name": "ship1", "has_offline": 1, "offline": "anna"}
    for name, values in (("host_set", mine), ("lease_list", {}), ("host_list", {}),
                         ("lease_end", {"user": "anna", "reason": "mine"})):
        assert link.call(name, values)[0].error == "PERM", name
    ship.relay.ok("reload")
    relays.wait_for("the end", lambda: "anna" not in leases(auth))
    assert sign_in(auth, auth.hotp.hotp()) == "ok"
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok", "through the link, as ever"
    assert link.call("lease_take", {"user": "anna", "lease": 4711})[1]["ended"] == 1
    ship.away()
    assert ship.relay.login("anna").result.error == "DOWN"


def test_threat_41_leases_without_end(auth, ship):  # noqa: F811
    """Root of a relay takes, spends all tries, gives back and takes again: what it is given is
    what one host may cost the account, whatever numbers it uses."""
    link = relays.Link(auth, ship.relay.identity)
    ship.relay.stop("broker")
    for number in (0, -1, -2**63):
        assert link.call("lease_take", {"user": "anna", "lease": number})[0].error == "PERM"
    mine = asked(auth, "SELECT lease FROM token WHERE serial = 'A100'")
    report = {"user": "anna", "ref": TOKEN, "position": -1}
    link.call("lease_report", {**report, "lease": mine, "end": 1})
    given = []
    for i in range(40):
        number = 2**63 - 1 - i
        result, reply = link.call("lease_take", {"user": "anna", "lease": number})
        assert answer((result,)) == "ok"
        if reply["ended"]:
            continue
        given.append(reply["parts"][0]["tries"])
        again = link.call("lease_take", {"user": "anna", "lease": number})[1]
        assert again["parts"][0]["tries"] <= given[-1], "the same lease once more brings no more"
        # Half of them are told: as if the rest had not been used.
        link.call("lease_report", {**report, "lease": number, "failed": max(1, given[-1] // 2), "end": 1})
    print("tries given, lease after lease: %s" % given)
    assert given and max(given) <= 5
    assert counted(auth, TOTAL) <= 10 and counted(auth, SOURCE) <= 10
    assert len(given) <= 10, "each of them costs"
    # Nobody else is shut out by it for good: another factor is there.
    number = auth.phone("anna")
    login = auth.login("anna")
    assert login.send()[0].verdict == "ok"
    assert login.verify(auth.code(number))[0].verdict == "ok"


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_threat_41_leases_over_postgresql(open_dir):
    """The same race of a lease and a code, decided by the row in the server."""
    with postgres.Postgres() as server, relays.House(os.path.join(open_dir, "auth")) as auth:  # noqa: F811
        os.chmod(auth.dir, 0o755)
        auth.conf(store={"url": server.url}, throttle={"delay": "0"})
        auth.time_travel(0)
        relays.auth_host(auth)
        auth.start()
        auth.account("anna", uid=12001)
        auth.hotp = token = Token(auth, "anna", "A100", oath.HOTP)
        with Ship(open_dir, auth) as ship:  # noqa: F811
            ship.leased()
            assert sign_in(ship.relay, token.hotp()) == "ok", "through the link"
            ship.away()
            for first, second in ((ship.relay, auth), (auth, ship.relay)):
                code = token.hotp()
                got = {first: sign_in(first, code), second: sign_in(second, code)}
                assert got == {ship.relay: "ok", auth: "token-leased"}, got
            used = code
            ship.back()
            relays.wait_for("it is told", lambda: server.sql(
                "SELECT moving FROM token WHERE serial = 'A100'") == str(token.at))
            assert sign_in(auth, used) != "ok" and sign_in(ship.relay, used) != "ok"
            if not LONG:
                return
            # Never given back: void behind its time, and good again beyond the window.
            ship.away()
            auth.time_travel(9 * HOUR)
            assert sign_in(auth, token.hotp()) in ("code-used", "code-wrong")
            last = int(server.sql("SELECT lease_last FROM token WHERE serial = 'A100'"))
            assert sign_in(auth, oath.hotp(token.seed, last + 1)) == "ok"
