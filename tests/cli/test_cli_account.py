"""magotpctl account: who is there. Exit codes and shapes of answers."""

import json

from desk import PEOPLE


def test_add_show_list_set_delete(desk):
    assert desk.ctl("account", "list").stdout == ""
    assert desk.json("account", "list") == []
    desk.ctl("account", "add", "games", "--email", "Games@Example.org", "--first", "Ga",
             "--last", "Mes", "--org", "Toys")
    row = desk.ctl("account", "list").stdout.rstrip("\n").split("\t")
    assert row == ["games", "pending", "-", "1", "never", "-"]
    desk.ctl("account", "set", "games", "--email", "", "--middle", "M")
    shown = desk.json("account", "show", "games")
    assert (shown["name"], shown["email"], shown["organisation"]) == ("Ga M Mes", "", "Toys")
    assert shown["uid"] == 5
    assert shown["last_login"] is None
    desk.ctl("account", "delete", "games")
    p = desk.ctl("account", "show", "games", code=1)
    assert desk.error(p) == "account-unknown"


def test_list_json_has_the_keys_of_the_manual(desk):
    desk.person("games")
    (row,) = desk.json("account", "list")
    assert set(row) == {"account", "name", "email", "organisation", "role", "state", "factors",
                        "level", "last_login", "expires"}
    assert row["factors"] == []


def test_a_list_of_many_pages_is_whole_and_in_order(desk):
    names = ["u%03d" % i for i in range(95)]
    for name in names:
        desk.account(name)
    rows = desk.ctl("account", "list", "--columns", "account").stdout.split()
    assert rows == names


def test_account_exists_and_names_that_cannot_be(desk):
    desk.person("games")
    assert desk.error(desk.ctl("account", "add", "games", code=1)) == "account-exists"
    for name in ("a b", "a:b", "../x", "12345", "a\tb"):
        desk.ctl("account", "add", name, code=2)
    desk.ctl("account", "add", "--", "-x", code=2)
    desk.ctl("account", "add", "news", "--email", "nobody", code=2)
    desk.ctl("account", "add", "news", "--role", "king", code=2)
    assert desk.ctl("account", "list", "--columns", "account").stdout == "games\n"


def test_error_objects_with_json(desk):
    p = desk.ctl("--json", "account", "show", "nobody-here", code=1)
    assert p.stdout == ""
    error = json.loads(p.stderr)
    assert set(error) == {"error", "message"}
    assert error["error"] == "account-unknown"
    assert json.loads(desk.ctl("--json", "acount", "list", code=2).stderr)["error"] == "usage"


def test_state_filter(desk):
    desk.with_phone("games")
    desk.person("news")
    names = lambda *a: desk.ctl("account", "list", "--columns", "account", *a).stdout.split()  # noqa: E731
    assert names("--state", "active") == ["games"]
    assert names("--state", "pending") == ["news"]
    assert names("--expiring", "400") == ["games"]
    assert names("--expiring", "30") == []
    desk.ctl("account", "list", "--state", "odd", code=2)


def test_no_broker_is_exit_3(make_desk):
    desk = make_desk(start=False)
    p = desk.ctl("account", "list", code=3)
    assert desk.error(p) == "broker-unavailable"
    p = desk.ctl("gateway", "list", code=3)
    assert desk.error(p) == "smsd-unavailable"


def test_O1_an_administrator_sees_and_makes_only_the_own_organisation(desk):
    desk.ctl("account", "add", "games", "--org", "Toys", "--role", "organisation-admin")
    desk.ctl("account", "add", "news", "--org", "Press")
    uid = 5
    result, _ = desk.call("account_show", {"user": "news"}, uid=uid)
    assert result.error == "PERM"
    result, _ = desk.call("account_add", {"user": "irc", "organisation": "Press"}, uid=uid)
    assert result.verdict == "not-allowed"
    result, _ = desk.call("account_add", {"user": "irc", "role": "organisation-admin"}, uid=uid)
    assert result.verdict == "not-allowed"
    result, _ = desk.call("account_add", {"user": "irc", "uid": 39}, uid=uid)
    assert result.verdict == "not-allowed"  # a user of the system
    desk.ok("account_add", {"user": "irc", "uid": 10039}, uid=uid)
    assert desk.json("account", "show", "irc")["organisation"] == "Toys"
    _, page = desk.call("account_list", {}, uid=uid)
    assert sorted(a["name"] for a in page["accounts"]) == ["games", "irc"]
    result, _ = desk.call("account_set", {"user": "irc", "organisation": "Press"}, uid=uid)
    assert result.verdict == "not-allowed"
    for message in ("licence_issue", "licence_list", "licence_void"):
        result, _ = desk.call(message, {}, uid=uid)
        assert result.error == "PERM"


def test_the_email_address_is_not_in_the_store_in_clear(desk):
    desk.ctl("account", "add", "games", "--email", "canary.77@example.org")
    desk.close()
    with open(desk.dir + "/db/otpcore.db", "rb") as f:
        assert b"canary.77" not in f.read()


def test_people_are_users_of_this_host():
    import pwd
    for name in PEOPLE:
        assert pwd.getpwnam(name).pw_uid > 0


def test_an_account_made_before_its_user_is_learnt_at_enroll(make_desk):
    desk = make_desk(licences={"mode": "automatic"})
    desk.account("games")  # uid unknown
    assert desk.error(desk.own("games", code=1)) == "account-unknown"
    desk.ctl("enroll", "games", "--phone", desk.number())
    desk.own("games")


def test_threat_12_a_recycled_uid_is_another_person_until_root_says_so(desk):
    desk.ctl("account", "add", "games")
    desk.ctl("account", "set", "games", "--uid", "4711")
    assert desk.error(desk.own("games", code=1)) == "account-unknown"
    desk.ctl("account", "set", "games", "--uid", "5")
    desk.own("games")
    desk.ctl("account", "set", "games", "--uid", "five", code=2)
    desk.ctl("account", "set", "games", code=2)


def test_a_refused_name_gets_no_note_of_a_user_to_come(desk):
    assert "(yet)" not in desk.ctl("account", "add", "a b", code=2).stderr
    assert "(yet)" in desk.ctl("account", "add", "later-user").stderr
