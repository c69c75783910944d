"""Phones in pipes: P1-P8, P10-P12."""

import concurrent.futures
import json

from house import wrong


def add(desk, user, number, *args, code=0):
    return desk.own(user, "phone", "add", number, *args, code=code)


def verify(desk, user, number, code=0):
    return desk.own(user, "phone", "verify", "-", stdin=desk.code(number) + "\n", code=code)


def licensed(desk, user="games", product="phone-us"):
    desk.person(user)
    desk.own(user, "activate", desk.key(product))
    return user


def test_P1_up_to_three_phones_with_what_is_said_of_each(desk):
    number = desk.with_phone("games")
    others = [desk.number() for _ in range(3)]
    for i, other in enumerate(others[:2]):
        desk.ctl("enroll", "games", "--phone", other, "--label", "n%d" % i)
        desk.ctl("phone", "verify", "games", desk.code(other))
    assert desk.error(desk.ctl("enroll", "games", "--phone", others[2], code=1)) == "phone-limit"
    rows = desk.json("phone", "list", "games")
    assert [r["id"] for r in rows] == ["p1", "p2", "p3"]
    assert rows[0]["number"] == number
    assert [r["default"] for r in rows] == [True, False, False]
    assert set(rows[0]) == {"id", "number", "country", "channel", "default", "state", "since",
                            "last_used", "expires", "label", "masked", "channels"}
    assert (rows[0]["country"], rows[0]["channel"], rows[0]["state"]) == ("US", "text", "active")
    assert rows[0]["since"].endswith("Z")
    assert rows[1]["label"] == "n0"


def test_P2_numbers_are_kept_in_E164(desk):
    licensed(desk)
    p = add(desk, "games", "(202) 555-01 34", "--country", "US")
    assert p.stdout == "p1\t+12025550134\tpending\n"
    for bad in ("12", "+1555", "hello", "+18005550134", "+1202555013400000"):
        assert desk.error(add(desk, "games", bad, code=1)) == "phone-invalid"


def test_P3_a_code_binds_the_phone(desk):
    licensed(desk)
    number = desk.number()
    p = add(desk, "games", number)
    assert "magotp phone verify p1 CODE" in p.stderr
    (row,) = json.loads(desk.own("games", "phone", "list", "--json").stdout)
    assert (row["state"], row["default"]) == ("pending", False)
    p = verify(desk, "games", number)
    assert "is active until" in p.stdout
    assert "second phone" in p.stderr  # P11
    (row,) = json.loads(desk.own("games", "phone", "list", "--json").stdout)
    assert (row["state"], row["default"]) == ("active", True)
    # The same right code again: the first answer again.
    assert "is active until" in verify(desk, "games", number).stdout


def test_P3_a_code_of_another_account_does_not_bind(desk):
    licensed(desk, "games")
    licensed(desk, "news")
    a, b = desk.number(), desk.number()
    add(desk, "games", a)
    add(desk, "news", b)
    code = desk.code(b)
    if code != desk.code(a):
        assert desk.error(desk.own("games", "phone", "verify", code, code=1)) == "code-wrong"
    verify(desk, "games", a)


def test_P4_three_wrong_codes_kill_the_code(desk):
    licensed(desk)
    number = desk.number()
    add(desk, "games", number)
    code = desk.code(number)
    for left in (2, 1):
        p = desk.own("games", "phone", "verify", wrong(code), code=1)
        assert "%d tr" % left in p.stderr and desk.error(p) == "code-wrong"
    p = desk.own("games", "phone", "verify", wrong(code), code=1)
    assert desk.error(p) == "tries-exceeded"
    assert desk.error(desk.own("games", "phone", "verify", code, code=1)) == "tries-exceeded"


def test_P4_a_registration_code_lives_two_minutes(make_desk):
    desk = make_desk(start=False)
    desk.time_travel(0)
    desk.start()
    licensed(desk)
    first, second = desk.number(), desk.number()
    add(desk, "games", first)
    desk.time_travel(121)
    p = desk.own("games", "phone", "verify", desk.code(first), code=1)
    assert desk.error(p) == "code-expired"
    add(desk, "games", first)
    desk.time_travel(118)
    verify(desk, "games", first)
    assert desk.error(desk.own("games", "phone", "verify", "p2", "123456", code=1)) == \
        "phone-unknown"
    assert second


def test_P5_a_new_code_kills_the_old_one_and_resets_no_tries(make_desk):
    desk = make_desk(start=False)
    desk.time_travel(0)
    desk.start()
    licensed(desk)
    number = desk.number()
    add(desk, "games", number)
    old = desk.code(number)
    desk.own("games", "phone", "verify", wrong(old), code=1)
    add(desk, "games", number)  # within the pause: the same code still holds
    assert len(desk.messages(number)) == 1
    desk.time_travel(21)
    add(desk, "games", number)
    new = desk.code(number)
    assert len(desk.messages(number)) == 2
    if old != new:
        p = desk.own("games", "phone", "verify", old, code=1)
        assert "1 try left" in p.stderr
    verify(desk, "games", number)


def test_P5_messages_are_limited_per_account_and_hour(make_desk):
    desk = make_desk(phone={"sends_per_hour": "3", "resend_wait": "0s"})
    licensed(desk)
    number = desk.number()
    for _ in range(3):
        add(desk, "games", number)
    p = add(desk, "games", number, code=1)
    assert desk.error(p) == "send-limited"
    assert len(desk.messages(number)) == 3
    assert desk.error(desk.own("games", "phone", "test", number, code=1)) == "send-limited"


def test_P6_changes_need_a_second_factor_once_there_is_one(desk):
    number = desk.with_phone("games")
    other = desk.number()
    for verb in (("add", other), ("default", "p1"), ("channel", "p1", "voice"), ("delete", "p1")):
        p = desk.own("games", "phone", *verb, code=4)
        assert desk.error(p) == "elevate-first"
    assert desk.messages(other) == []
    assert json.loads(desk.own("games", "--json", "phone", "add", other, code=4).stderr)[
        "error"] == "elevate-first"
    # Somebody else's grant, or none, changes nothing; root may.
    desk.ctl("enroll", "games", "--phone", other)
    desk.ctl("phone", "verify", "games", desk.code(other))
    desk.ctl("phone", "delete", "games", "p1")
    assert [r["number"] for r in desk.json("phone", "list", "games")] == [other]
    assert number != other


def test_P6_the_first_phone_needs_a_licence(desk):
    desk.person("games")
    number = desk.number()
    assert desk.error(add(desk, "games", number, code=1)) == "licence-needed"
    assert desk.messages(number) == []


def test_P6_the_last_phone_stays(desk):
    desk.with_phone("games")
    assert desk.error(desk.ctl("phone", "delete", "games", "p1", code=1)) == "phone-last"
    assert desk.error(desk.ctl("phone", "delete", "games", "p2", code=1)) == "phone-unknown"
    other = desk.number()
    desk.ctl("enroll", "games", "--phone", other)
    desk.ctl("phone", "delete", "games", "p2")  # still pending: not the last
    assert desk.error(desk.ctl("phone", "delete", "games", "p1", code=1)) == "phone-last"


def test_P6_a_grant_is_good_for_its_own_process_only(desk):
    """A ticket verified by one process is no grant for another of the same user."""
    desk.with_phone("games")
    number = desk.json("phone", "list", "games")[0]["number"]
    login = desk.login("games", "elevate", uid=5)
    assert login.send()[0].verdict == "ok"
    assert login.verify(desk.code(number))[0].verdict == "ok"
    result, _ = desk.call("phone_delete", {"user": "games", "grant": login.txn, "ref": 1}, uid=5)
    assert result.verdict == "elevate-first"


def test_deleting_the_default_hands_it_on(desk):
    desk.with_phone("games")
    other = desk.number()
    desk.ctl("enroll", "games", "--phone", other)
    desk.ctl("phone", "verify", "games", desk.code(other))
    desk.ctl("phone", "delete", "games", "p1")
    (row,) = desk.json("phone", "list", "games")
    assert (row["id"], row["default"]) == ("p2", True)


def test_P7_a_test_message_by_text_or_voice(desk):
    licensed(desk)
    number = desk.number()
    assert "sent" in desk.own("games", "phone", "test", number).stdout
    assert desk.last_message(number)["channel"] == "sms"
    desk.own("games", "phone", "test", number, "--voice")
    assert desk.last_message(number)["channel"] == "voice"
    add(desk, "games", number)
    desk.own("games", "phone", "test", "p1")
    assert desk.error(desk.own("games", "phone", "test", "p2", code=1)) == "phone-unknown"


def test_P7_nobody_tests_numbers_that_were_not_paid_for(desk):
    desk.person("games")
    number = desk.number()
    assert desk.error(desk.own("games", "phone", "test", number, code=1)) == "licence-needed"
    desk.own("games", "activate", desk.key())
    p = desk.own("games", "phone", "test", "+442079460123", code=1)
    assert desk.error(p) == "phone-region"
    assert desk.messages() == []


def test_P8_a_product_takes_its_own_countries_only(desk):
    licensed(desk, "games", "phone-us")
    licensed(desk, "news", "phone-intl")
    for number in ("+17875550134", "+442079460123"):  # Puerto Rico, Great Britain
        assert desk.error(add(desk, "games", number, code=1)) == "phone-region"
    assert desk.error(add(desk, "news", "+12025550134", code=1)) == "phone-region"
    add(desk, "news", "+17875550134")
    add(desk, "games", "+12025550134")


def test_P10_a_landline_gets_calls(desk):
    licensed(desk, "games", "phone-intl")
    number = "+442079460123"
    add(desk, "games", number)
    message = desk.last_message(number)
    assert message["channel"] == "voice"
    digits = message["text"]
    verify(desk, "games", number)
    (row,) = desk.json("phone", "list", "games")
    assert (row["channel"], row["channels"]) == ("voice", "voice")
    assert digits


def test_P12_the_charge_is_named_before_anything_is_sent(desk):
    licensed(desk)
    p = add(desk, "games", desk.number())
    assert p.stderr.index("carrier may charge") < p.stderr.index("Code sent")


def test_the_same_number_twice(desk):
    number = desk.with_phone("games")
    p = desk.ctl("enroll", "games", "--phone", number, code=1)
    assert desk.error(p) == "phone-exists"


def test_nobody_sees_or_verifies_phones_of_others(desk):
    number = desk.with_phone("games")
    desk.person("news")
    for message in ("phone_list", "phone_verify", "phone_add", "phone_delete", "phone_test",
                    "activate", "status"):
        result, _ = desk.call(message, {"user": "games"}, uid=9)
        assert result.error == "PERM", message
    assert number not in desk.log("broker")


def test_automatic_licences_bind_through_root_only(make_desk):
    desk = make_desk(licences={"mode": "automatic"})
    desk.person("games")
    mine, other = desk.number(), desk.number()
    assert desk.error(add(desk, "games", mine, code=1)) == "licence-needed"
    desk.ctl("enroll", "games", "--phone", mine)
    # A password alone still registers no number of its own (threat 11).
    assert desk.error(add(desk, "games", other, code=1)) == "licence-needed"
    verify(desk, "games", mine)
    assert desk.json("account", "show", "games")["state"] == "active"


def test_enroll_makes_the_account_and_stays_pending_in_a_pipe(make_desk):
    desk = make_desk(licences={"mode": "automatic"})
    number = desk.number()
    p = desk.ctl("enroll", "games", "--phone", number)
    assert p.stdout == "p1\t%s\tpending\n" % number
    assert "magotpctl phone verify games p1 CODE" in p.stderr
    assert desk.json("account", "show", "games")["uid"] == 5
    p = desk.ctl("enroll", "no-such-user", "--phone", number, code=1)
    assert desk.error(p) == "account-unknown"
    answer = json.loads(desk.ctl("enroll", "news", "--json", "--phone", desk.number()).stdout)
    assert (answer["state"], answer["id"]) == ("pending", "p1")


def test_a_gateway_that_fails_is_said(desk):
    licensed(desk)
    desk.stop("smsd")
    p = add(desk, "games", desk.number())
    assert "Not sent" in p.stderr
    answer = desk.own("games", "phone", "list").stdout
    assert "pending" in answer


def at_once(jobs):
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        return [f.result() for f in [pool.submit(job) for job in jobs]]


def test_threat_05_of_64_guesses_at_once_three_are_judged(desk):
    licensed(desk)
    number = desk.number()
    add(desk, "games", number)
    code = int(desk.code(number))
    guesses = ["%06d" % ((code + i + 1) % 10 ** 6) for i in range(63)]

    def guess(text):
        return desk.call("phone_verify", {"user": "games", "code": text})[0].verdict

    answers = at_once([lambda t=t: guess(t) for t in guesses])
    assert answers.count("code-wrong") == 2
    assert set(answers) == {"code-wrong", "tries-exceeded"}
    assert guess("%06d" % code) == "tries-exceeded"


def test_one_right_code_at_once_binds_one_phone(desk):
    licensed(desk)
    number = desk.number()
    add(desk, "games", number)
    code = desk.code(number)
    answers = at_once([lambda: desk.call("phone_verify", {"user": "games", "code": code})[0]
                       .verdict] * 16)
    # At most the cap is judged at a time, right or wrong; nothing stays charged.
    assert "ok" in answers and set(answers) <= {"ok", "tries-exceeded"}
    for _ in range(5):
        assert "is active until" in verify(desk, "games", number).stdout
    assert len(desk.json("phone", "list", "games")) == 1


def test_P1_the_limit_holds_for_registrations_at_once(desk):
    licensed(desk)
    numbers = [desk.number() for _ in range(12)]
    answers = at_once([lambda n=n: desk.call("phone_add", {"user": "games", "number": n})[0]
                       .verdict for n in numbers])
    assert sorted(answers) == ["ok"] * 3 + ["phone-limit"] * 9
    assert sorted(r["id"] for r in desk.json("phone", "list", "games")) == ["p1", "p2", "p3"]


def test_a_registration_that_was_left_gives_its_place_away(make_desk):
    desk = make_desk(start=False)
    desk.time_travel(0)
    desk.start()
    licensed(desk)
    for _ in range(3):
        add(desk, "games", desk.number())
        desk.time_travel(1)
    assert desk.error(add(desk, "games", desk.number(), code=1)) == "phone-limit"
    desk.time_travel(3700)
    number = desk.number()
    add(desk, "games", number)
    verify(desk, "games", number)
