"""status, elevate, explain, config, gateway, send: in pipes."""

import json
import os
import time

import wirepy

PAM = """auth requisite pam_unix.so
auth required pam_magotp.so%s
account required pam_magotp.so
"""


def pam_dir(desk, options=""):
    path = os.path.join(desk.dir, "pam.d")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "sshd"), "w") as f:
        f.write(PAM % options)
    return path


def test_bare_magotp_is_status(desk):
    desk.with_phone("games")
    p = desk.own("games")
    assert p.stdout == desk.own("games", "status").stdout
    lines = p.stdout.splitlines()
    assert lines[0].startswith("games on ")
    assert lines[1].startswith("Session   Username and Password (password), level 1")
    assert any(line.startswith("p1\ttext ") for line in lines)


def test_status_json_has_the_keys_of_the_manual(desk):
    number = desk.with_phone("games")
    s = json.loads(desk.own("games", "--json").stdout)
    assert {"account", "host", "session", "previous", "factors", "recovery_codes_left",
            "hints"} <= set(s)
    assert {"strength", "level", "service", "since", "from", "tty", "id",
            "reuse"} <= set(s["session"])
    (factor,) = s["factors"]
    assert set(factor) == {"id", "kind", "label", "masked", "channel", "state", "default", "level",
                           "last_used", "expires", "product"}
    assert factor["masked"] == number[-4:]
    assert number not in json.dumps(s)


def test_O9_status_shows_how_many_methods_are_active(make_desk):
    desk = make_desk(**{"service vault": {"methods": "3"}, "service sshd": {"methods": "2"}})
    desk.with_phone("games")
    assert "Methods   1/3 (vault)" in desk.own("games").stdout
    said = json.loads(desk.own("games", "--json").stdout)
    assert (said["methods"], said["methods_required"]) == (1, 3)


def test_O9_status_is_silent_where_one_is_enough(desk):
    desk.with_phone("games")
    assert "Methods" not in desk.own("games").stdout


def test_L12_status_recommends_a_second_phone_and_the_code_that_waits(desk):
    desk.with_phone("games")
    ids = [h["id"] for h in json.loads(desk.own("games", "--json").stdout)["hints"]]
    assert ids == ["second-phone"]
    desk.person("news")
    desk.ctl("enroll", "news", "--key", desk.key("phone-us"), "--phone", desk.number())
    said = desk.own("news").stdout
    assert "waits for its code: magotp phone verify CODE" in said and "second" not in said


def test_a_session_that_is_not_there_is_not_ended(desk):
    desk.with_phone("games")
    for args in (("games",), ("games", "41")):
        assert desk.error(desk.ctl("session", "end", *args, code=1)) == "not-recorded"
    assert desk.error(desk.ctl("session", "end", "news", "--all", code=1)) == "account-unknown"


def test_columns_that_are_none_are_told(desk):
    p = desk.ctl("account", "list", "--columns", "account,colour", code=2)
    assert "account,state,factors" in p.stderr


def test_status_require(desk):
    desk.with_phone("games")
    desk.own("games", "status", "--require", "password")
    assert desk.error(desk.own("games", "status", "--require", "phone-otp", code=4)) == \
        "elevate-first"
    p = desk.own("games", "status", "--require", "hardware-otp", code=1)
    assert desk.error(p) == "requirements-not-met"
    desk.own("games", "status", "--require", "phone-opt", code=2)
    desk.person("news")
    desk.own("news", "status", "--require", "phone-otp", code=1)


def test_who_has_no_account_is_told_so(desk):
    assert desk.error(desk.own("irc", code=1)) == "account-unknown"


def test_elevate_in_a_pipe_goes_in_steps(desk):
    number = desk.with_phone("games")
    assert desk.error(desk.own("games", "elevate", code=4)) == "elevate-first"
    answer = json.loads(desk.own("games", "--json", "elevate", "p1").stdout)
    assert answer["masked"] == number[-4:]
    assert desk.error(desk.own("games", "elevate", "p1", "000000", code=1)) == "code-wrong"
    p = desk.own("games", "--json", "elevate", "p1", "-", stdin=desk.code(number) + "\n")
    assert json.loads(p.stdout)["strength"] == "phone-otp"
    p = desk.own("games", "elevate", "p1", desk.code(number), code=1)
    assert desk.error(p) == "code-used"


def test_elevate_runs_the_command_and_hands_on_its_exit_code(desk):
    number = desk.with_phone("games")
    desk.own("games", "elevate", "p1")
    code = desk.code(number)
    p = desk.own("games", "elevate", "p1", code, "--", "sh", "-c", "echo ran; exit 7", code=7)
    assert p.stdout.endswith("ran\n")
    p = desk.own("games", "elevate", "p1", code, "--", "sh", "-c", "echo ran", code=1)
    assert "ran" not in p.stdout


def test_explain_a_login_that_would_be_let_in(desk):
    number = desk.with_phone("games")
    p = desk.ctl("explain", "sshd", "games", "--pam-dir", pam_dir(desk))
    assert p.stdout.splitlines()[0] == \
        "games would be LET IN with password and second factor."
    assert "Offers    p1 text %s (default)" % number[-4:] in p.stdout
    assert "No broker REFUSED" in p.stdout and "/sshd:2 broker_down" in p.stdout
    # Nothing was sent or charged by asking.
    before = len(desk.messages())
    e = desk.json("explain", "sshd", "games", "--pam-dir", pam_dir(desk))
    assert len(desk.messages()) == before
    assert set(e) == {"service", "account", "decision", "reason", "require", "offers", "excluded",
                      "send_budget", "exempt", "variants", "trace"}
    assert (e["decision"], e["require"]["strength"]) == ("ask", "phone-otp")
    assert e["send_budget"] == 9  # one was sent to register
    assert e["variants"] == {"publickey": "REFUSED", "broker_down": "REFUSED"}


def test_explain_the_line_beats_the_section(make_desk):
    desk = make_desk(**{"service sshd": {"require": "password", "publickey_alone": "allow"}})
    desk.with_phone("games")
    e = desk.json("explain", "sshd", "games", "--pam-dir", pam_dir(desk))
    assert (e["decision"], e["require"]["strength"]) == ("pass", "password")
    assert "magotp.conf:" in e["require"]["source"]
    assert e["variants"]["publickey"] == "ALLOWED"
    lined = pam_dir(desk, " require=hardware-otp broker_down=allow")
    e = desk.json("explain", "sshd", "games", "--pam-dir", lined)
    assert (e["decision"], e["reason"]) == ("deny", "requirements-not-met")
    assert e["require"]["source"] == lined + "/sshd:2"
    assert e["excluded"] == [{"id": "p1", "reason": "requirements-not-met"}]
    assert e["variants"]["broker_down"] == "ALLOWED"


def test_O5_explain_who_would_be_led_through(make_desk):
    desk = make_desk(**{"service sshd": {"unenrolled": "enroll"}})
    desk.person("games")
    p = desk.ctl("explain", "sshd", "games", "--pam-dir", pam_dir(desk))
    assert p.stdout.splitlines()[0] == "games would be led through enrolment."
    e = desk.json("explain", "sshd", "games", "--pam-dir", pam_dir(desk))
    assert (e["decision"], e["reason"]) == ("enroll", "ok")
    for line in (" mode=combined", " require=mloa-hardware"):
        e = desk.json("explain", "sshd", "games", "--pam-dir", pam_dir(desk, line))
        assert e["decision"] == "deny", line
    assert desk.json("explain", "sshd", "nobody-here", "--pam-dir",
                     pam_dir(desk))["decision"] == "deny"


def test_explain_says_whose_factor_su_wants(make_desk):
    desk = make_desk(**{"service su": {"su_target": "caller"}})
    desk.with_phone("games")
    assert "of who calls it" in desk.ctl("explain", "su", "games").stderr
    assert "of who calls it" not in desk.ctl("explain", "sshd", "games").stderr
    effects = [t["effect"] for t in desk.json("explain", "su", "games")["trace"]]
    assert "su_target = caller" in effects


def test_explain_exempt_unknown_and_profiles(make_desk):
    desk = make_desk(**{
        "service sshd": {"require": "strong", "exempt_users": "news",
                         "exempt_networks": "203.0.113.0/24"},
        "profile strong": {"require": "phone-otp"}})
    desk.with_phone("games")
    where = pam_dir(desk)
    decision = lambda *a: desk.json("explain", *a, "--pam-dir", where)["decision"]  # noqa: E731
    assert decision("sshd", "games") == "ask"
    assert decision("sshd", "games", "--from", "203.0.113.7") == "exempt"
    assert decision("sshd", "games", "--from", "::ffff:203.0.113.7") == "exempt"
    assert decision("sshd", "games", "--from", "203.0.114.7") == "ask"
    assert decision("sshd", "news") == "exempt"
    e = desk.json("explain", "sshd", "irc", "--pam-dir", where)
    assert (e["decision"], e["reason"]) == ("deny", "account-unknown")
    desk.ctl("explain", "sshd", code=2)


def test_explain_last_says_why(desk):
    number = desk.with_phone("games")
    assert "no login on record" in desk.ctl("explain", "--last", "games").stdout
    login = desk.login("games", "sshd", rhost="203.0.113.9")
    login.send()
    code = desk.code(number)
    login.verify("%06d" % ((int(code) + 1) % 10 ** 6))
    e = desk.json("explain", "--last", "games")
    assert (e["service"], e["from"], e["verdict"]) == ("sshd", "203.0.113.9", "code-wrong")
    assert "code-wrong" in desk.ctl("explain", "--last", "games").stdout
    assert desk.error(desk.ctl("explain", "--last", "irc", code=1)) == "account-unknown"


def test_config_show_get_check(make_desk):
    desk = make_desk(**{"phone": {"tries": "4"}, "service *": {"level": "2"},
                        "service sshd": {"skip": "yes"}})
    assert desk.ctl("config", "get", "phone.tries").stdout == "4\n"
    assert desk.ctl("config", "get", "phone.code_validity").stdout == "2m\n"
    assert desk.ctl("config", "get", "service.sshd.skip").stdout == "yes\n"
    assert desk.ctl("config", "get", "service.sshd.level").stdout == "2\n"
    assert desk.ctl("config", "get", "service.su.level").stdout == "2\n"
    desk.ctl("config", "get", "phone.trys", code=2)
    changed = {r["key"]: r for r in desk.json("config", "show", "--changed")}
    assert changed["phone.tries"]["value"] == "4"
    assert "magotp.conf:" in changed["phone.tries"]["source"]
    assert "phone.code_digits" not in changed
    assert "phone.code_digits\t6\tdefault" in desk.ctl("config", "show").stdout
    assert "right" in desk.ctl("config", "check").stdout


def test_config_check_names_file_line_and_nearest_key(desk):
    with open(desk.conf_file, "a") as f:
        f.write("[hardware]\nlock_aftr = 3\n")
    p = desk.ctl("config", "check", code=1)
    assert "magotp.conf:" in p.stderr and "lock_after" in p.stderr
    p = desk.ctl("account", "list", code=2)
    assert desk.error(p) == "config"


def test_gateway_and_send(desk):
    number = desk.number()
    assert "Sent by outbox" in desk.ctl("gateway", "test", number).stdout
    assert "test message" in desk.last_message(number)["text"]
    desk.ctl("send", "--to", number, "--text", "Maintenance at 18:00")
    assert desk.last_message(number)["text"] == "Maintenance at 18:00"
    desk.ctl("send", "--to", number, "--voice", "--text", "-", stdin="Hello\n")
    assert desk.last_message(number)["channel"] == "voice"
    (row,) = desk.json("gateway", "list")
    assert (row["gateway"], row["driver"], row["accepted"]) == ("outbox", "outbox", 3)
    limits = {row["limit"]: row for row in desk.json("gateway", "limits")}
    assert limits["number"]["hour_used"] == limits["country US"]["day_used"] == 3
    assert limits["all"]["refused"] == 0 and limits["prefix"]["hour_limit"] > 0
    desk.ctl("send", "--to", "12", "--text", "x", code=2)
    desk.ctl("send", "--to", number, code=2)
    desk.ctl("gateway", "test", "word", code=2)


def test_block_that_uses_no_codes_is_shown_and_opened_again(desk):
    desk.stop("smsd")
    desk.smsd_conf(smsd={"used_watch": 1})
    desk.start_smsd()
    number = desk.number()
    wirepy.call(desk.smsd_socket, "submit", {
        "id": "cli-unused", "to": number, "channel": "sms", "template": "code", "code": "483920",
        "host": "web1", "expires_at": int(time.time()) + 60})
    wirepy.call(desk.smsd_socket, "used", {"id": "cli-unused", "used": 0})
    rows = {row["limit"]: row for row in desk.json("gateway", "limits")}
    assert rows["unused " + number[:-3]]["stopped_until"].endswith("Z")
    assert rows["all"]["stopped_until"] is None
    assert "unused " + number[:-3] in desk.ctl("gateway", "limits").stdout
    desk.ctl("gateway", "reset", "12", code=2)
    assert "1 block" in desk.ctl("gateway", "reset", number[:-3]).stdout
    assert desk.error(desk.ctl("gateway", "reset", "all", code=1)) == "not-stopped"
    assert "unused " + number[:-3] not in desk.ctl("gateway", "limits").stdout


def test_setup_refuses_to_overwrite(desk):
    shutil_copy(desk)
    key = open(desk.dir + "/master.key").read()
    p = desk.ctl("setup", code=1)
    assert "nothing was changed" in p.stderr.lower()
    assert open(desk.dir + "/master.key").read() == key


def shutil_copy(desk):
    """setup looks for otpcored beside itself."""
    import shutil
    shutil.copy(desk.program("otpcored"), desk.bin)


def test_explain_says_what_begin_does(make_desk):
    """Every shape of policy against every kind of account: no second opinion."""
    services = {
        "plain": {"require": "phone-otp"},
        "password": {"require": "password"},
        "skip": {"require": "password", "skip": "yes"},
        "token": {"require": "hardware-otp"},
        "level": {"require": "password", "level": "3"},
        "open": {"require": "phone-otp", "unenrolled": "allow"},
        "exempt": {"require": "phone-otp", "exempt_users": "games irc"},
        "net": {"require": "phone-otp", "exempt_networks": "203.0.113.0/24"},
        "watched": {"require": "hardware-otp", "observe": "yes"},
        "silent": {"require": "phone-otp", "mode": "none"},
        "twice": {"require": "phone-otp", "level": "2"},
    }
    desk = make_desk(**{"service " + k: v for k, v in services.items()})
    desk.with_phone("games")
    desk.person("news")
    words = {1: "ask", 2: "pass", 3: "exempt", 4: "deny", 5: "enroll"}
    for service in services:
        for user in ("games", "news", "irc"):
            for address in ("203.0.113.7", "198.51.100.1"):
                begin = desk.login(user, service, rhost=address).begin
                said = desk.json("explain", service, user, "--from", address, "--pam-dir", "/")
                did = words[begin["decision"]]
                if did == "ask" and user != "games":
                    did = "deny"  # a made-up account (L10): asked, never let in
                if did == "exempt" and service == "open":
                    did = "pass"  # let in with the password for want of a factor
                assert said["decision"] == did, (service, user, address, said)
                assert len(said["offers"]) == len(begin["factors"]) or user != "games" or \
                    did != "ask"


def test_a_refused_issue_prints_no_list(desk):
    p = desk.ctl("license", "issue", "--product", "gold", "--json", code=2)
    assert p.stdout == "" and json.loads(p.stderr)["error"] == "usage"


def test_gateways_are_roots_and_others_are_told_so(desk):
    p = desk._pipe("magotpctl", ("gateway", "test", "+12025550134"), 1, "", "games")
    assert desk.error(p) == "not-allowed" and "Only root" in p.stderr


def test_explain_names_a_mistake_on_the_pam_line(desk):
    """The module refuses everybody there, whatever the policy says."""
    where = pam_dir(desk, " promt_password")
    p = desk.ctl("explain", "sshd", "games", "--pam-dir", where)
    assert f"until {where}/sshd:2 is corrected" in p.stderr and "prompt_password" in p.stderr
    assert "corrected" not in desk.ctl("explain", "sshd", "games", "--pam-dir", pam_dir(desk)).stderr
