"""Licence keys: K1-K3, K5, K7, and threat 38."""

import concurrent.futures
import datetime


def activate(desk, user, key, code=0):
    return desk.own(user, "activate", "-", stdin=key + "\n", code=code)


def mistype(key, group):
    groups = key.split("-")
    g = groups[group - 1]
    groups[group - 1] = ("2" if g[0] != "2" else "3") + g[1:]
    return "-".join(groups)


def test_K1_a_key_starts_a_subscription_of_a_year(desk):
    desk.person("games")
    p = activate(desk, "games", desk.key())
    day = datetime.date.today()
    assert p.stdout.startswith("Key accepted: phone-us, until %d-%02d-" % (day.year + 1, day.month))
    assert "magotp phone add" in p.stderr


def test_K1_unknown_products_are_refused(desk):
    for product in ("token", "gold"):
        p = desk.ctl("license", "issue", "--product", product, code=2)
        assert "products: phone-us" in p.stderr
    desk.ctl("license", "issue", code=2)
    assert desk.json("license", "list") == []


def test_K1_every_product_has_keys(desk):
    products = {"phone-us", "phone-intl", "hardware", "mobile", "mobile-hardware"}
    for product in products:
        desk.ctl("license", "issue", "--product", product)
    assert {row["product"] for row in desk.json("license", "list")} == products


def test_K2_a_key_is_stored_only_so_that_it_can_be_recognised(desk):
    key = desk.key()
    (row,) = desk.json("license", "list")
    assert row["key"] == key[:5] + "-..."
    assert row["state"] == "free"
    desk.close()
    with open(desk.dir + "/db/otpcore.db", "rb") as f:
        data = f.read()
    assert key.encode() not in data
    assert key.replace("-", "").encode() not in data
    assert key not in desk.log("broker")


def test_K2_a_key_binds_to_one_account_and_a_repeat_is_answered_again(desk):
    desk.person("games")
    desk.person("news")
    key = desk.key()
    first = activate(desk, "games", key)
    assert activate(desk, "games", key.lower().replace("-", " ")).stdout == first.stdout
    assert desk.error(activate(desk, "news", key, code=1)) == "key-used"
    (row,) = desk.json("license", "list")
    assert (row["state"], row["account"]) == ("used", "games")


def test_K2_unused_keys_are_voided_used_ones_not(desk):
    desk.person("games")
    key, other = desk.key(), desk.key()
    desk.ctl("license", "void", "-", stdin=key + "\n")
    desk.ctl("licence", "void", key)
    assert desk.error(activate(desk, "games", key, code=1)) in ("key-unknown", "key-used")
    activate(desk, "games", other)
    assert desk.error(desk.ctl("license", "void", other, code=1)) == "key-used"


def test_K3_a_typing_mistake_names_the_group_and_is_no_guess(desk):
    desk.person("games")
    key = desk.key()
    for group in (1, 3, 6):
        p = activate(desk, "games", mistype(key, group), code=1)
        assert "group %d" % group in p.stderr
        assert desk.error(p) == "key-mistyped"
    for _ in range(12):
        assert desk.error(activate(desk, "games", key[:-1], code=1)) == "key-mistyped"
    activate(desk, "games", key)


def test_K3_unknown_keys_are_told_apart_and_throttled(desk):
    desk.person("games")
    void = [desk.key() for _ in range(2)]
    other_store_key = "0000A-0000A-0000A-0000A-0000A-0000A"
    assert desk.error(activate(desk, "games", other_store_key, code=1)) == "key-mistyped"
    desk.ctl("license", "void", void[0])
    answers = [desk.error(activate(desk, "games", void[0], code=1)) for _ in range(11)]
    assert set(answers[:10]) <= {"key-unknown", "key-used"}
    assert answers[10] == "try-later"
    # The right key waits too; another account is not held up.
    assert desk.error(activate(desk, "games", void[1], code=1)) == "try-later"
    desk.person("news")
    activate(desk, "news", void[1])


def test_K5_a_second_key_of_the_same_product_extends_from_the_original_end(desk):
    desk.person("games")
    activate(desk, "games", desk.key())
    p = activate(desk, "games", desk.key())
    assert "until %d-" % (datetime.date.today().year + 2) in p.stdout
    p = activate(desk, "games", desk.key("phone-intl"))
    assert "phone-intl, until %d-" % (datetime.date.today().year + 1) in p.stdout


def test_K6_held_keys_wait_for_the_payment_of_their_order(desk):
    desk.person("games")
    key = desk.key("phone-us", "--order", "A-1", "--hold")
    p = activate(desk, "games", key, code=1)
    assert "waiting for payment" in p.stderr
    assert desk.ctl("license", "release", "--order", "A-1").stdout == "1 key released\n"
    desk.ctl("license", "release", "A-1", code=1)
    activate(desk, "games", key)
    p = desk.ctl("license", "issue", "--product", "phone-us", "--hold", code=2)
    assert "which order" in p.stderr and not p.stdout  # nobody could release it


def test_activate_says_what_comes_next(desk):
    desk.person("games")
    assert "With a licence key: magotp activate" in desk.own("games").stdout
    for product, verb in (("hardware", "token add"), ("mobile", "mobile add"),
                          ("phone-us", "phone add")):
        p = activate(desk, "games", desk.key(product))
        assert p.stderr.startswith("Next, ") and f": magotp {verb}" in p.stderr, product
        if product == "hardware":
            assert "To activate a token: magotp token add" in desk.own("games").stdout


def test_K7_the_year_counts_from_purchase(desk):
    desk.person("games")
    day = datetime.date.today() - datetime.timedelta(days=100)
    p = activate(desk, "games", desk.key("phone-us", "--purchased", day.isoformat()))
    end = day.replace(year=day.year + 1) if (day.month, day.day) != (2, 29) else None
    assert end is None or end.isoformat() in p.stdout
    old = (datetime.date.today() - datetime.timedelta(days=400)).isoformat()
    p = desk.ctl("license", "issue", "--product", "phone-us", "--purchased", old, code=2)
    assert "is over" in p.stderr and not p.stdout
    desk.ctl("license", "issue", "--product", "phone-us", "--purchased", "soon", code=2)


def test_many_keys_come_whole_and_differ(desk):
    keys = desk.ctl("license", "issue", "--product", "phone-us", "--count", "250",
                    "--order", "B").stdout.split()
    assert len(set(keys)) == 250
    assert len(desk.json("license", "list", "--order", "B")) == 250
    assert desk.json("license", "list", "--state", "used") == []
    assert set(desk.json("license", "issue", "--product", "phone-us")[0]) == {"key"}
    desk.ctl("license", "issue", "--product", "phone-us", "--count", "0", code=2)


def test_threat_38_of_64_accounts_at_once_one_gets_the_key(desk):
    for i in range(64):
        desk.account("u%d" % i)
    for _ in range(3):
        key = desk.key()
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            results = list(pool.map(
                lambda i: desk.call("activate", {"user": "u%d" % i, "key": key})[0].verdict,
                range(64)))
        assert sorted(set(results)) == ["key-used", "ok"]
        assert results.count("ok") == 1


def test_K6_an_order_has_prepaid_seats_and_each_key_takes_one(desk):
    issue = ("license", "issue", "--product", "phone-us", "--order", "A-1")
    assert len(desk.ctl(*issue, "--seats", "3", "--count", "2").stdout.split()) == 2
    p = desk.ctl(*issue, "--count", "2", code=1)
    assert "3 seats, 2 of them taken" in p.stderr
    assert len(desk.ctl(*issue).stdout.split()) == 1
    desk.ctl(*issue, code=1)
    # More were paid for; held keys have their seats already.
    desk.ctl(*issue, "--seats", "5", "--count", "2", "--hold")
    desk.ctl(*issue, code=1)
    assert "2" in desk.ctl("license", "release", "--order", "A-1").stdout
    # Another order, and keys of no order, know nothing of it.
    desk.ctl("license", "issue", "--product", "phone-us", "--order", "B-2")
    desk.ctl("license", "issue", "--product", "phone-us")
    desk.ctl("license", "issue", "--product", "phone-us", "--seats", "4", code=2)


def test_K6_more_than_a_page_is_refused_whole(desk):
    """Keys come in messages of a hundred: none goes out that does not fit in all."""
    p = desk.ctl("license", "issue", "--product", "phone-us", "--order", "C-3", "--seats", "150",
                 "--count", "151", code=1)
    assert p.stdout == ""
    assert len(desk.ctl("license", "issue", "--product", "phone-us", "--order", "C-3", "--seats",
                        "150", "--count", "150").stdout.split()) == 150
