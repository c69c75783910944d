"""magotpctl metrics, read as Prometheus reads it: strictly."""

import json
import re
import subprocess

from house import wrong

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (-?\d+(?:\.\d+)?)$" % (NAME, LABEL, LABEL))
PARTS = {"histogram": ("_bucket", "_sum", "_count")}


def parse(text):
    """{name: {labels: value}} of the text format; whatever Prometheus would refuse fails:
    a sample without TYPE, a family in two places, a sample twice, odd buckets."""
    found, types, family = {}, {}, None
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    for i, line in enumerate(lines):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in types, "in two places: " + family
            assert lines[i + 1].startswith("# TYPE %s " % family), line
            continue
        if line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            types[family] = line.split(" ")[3]
            assert types[family] in ("counter", "gauge", "histogram")
            continue
        m = SAMPLE.match(line)
        assert m, "no sample: " + line
        parts = PARTS.get(types[family], ("",))
        assert m[1] in [family + part for part in parts], line
        assert types[family] != "counter" or family.endswith("_total"), line
        labels = frozenset(re.findall(LABEL, m[2] or ""))
        samples = found.setdefault(m[1], {})
        assert labels not in samples, "twice: " + line
        samples[labels] = float(m[3])
    for family in (f for f, type in types.items() if type == "histogram"):
        buckets = list(found[family + "_bucket"].values())
        assert buckets == sorted(buckets)
        assert found[family + "_bucket"][frozenset(['le="+Inf"'])] == buckets[-1]
        assert found[family + "_count"][frozenset()] == buckets[-1]
    return found


def metrics(desk):
    return parse(desk.ctl("metrics").stdout)


def value(found, name, **labels):
    return found[name][frozenset('%s="%s"' % pair for pair in labels.items())]


def test_a_login_is_counted(desk):
    number = desk.with_phone("games")
    before = metrics(desk)
    assert value(before, "magotp_otpcored_up") == value(before, "magotp_smsd_up") == 1
    for code in (wrong, str):
        login = desk.login("games")
        login.send()
        login.verify(code(desk.code(number)))
    after = metrics(desk)

    def grown(name, **labels):
        key = frozenset('%s="%s"' % pair for pair in labels.items())
        return after[name][key] - before.get(name, {}).get(key, 0)

    assert grown("magotp_logins_total", phase="begin", decision="ask") == 2
    assert grown("magotp_login_steps_total", step="verify", verdict="code-wrong") == 1
    assert grown("magotp_login_steps_total", step="verify", verdict="ok") == 1
    assert grown("magotp_messages_total", channel="sms", outcome="accepted") >= 1
    assert grown("magotp_gateway_attempts_total", gateway="outbox", outcome="accepted") >= 1
    assert grown("magotp_tick_seconds_count") >= 6
    assert grown("magotp_tick_requests_sum") >= grown("magotp_tick_requests_count") > 0
    assert value(after, "magotp_gateway_last_accepted_timestamp_seconds", gateway="outbox") > 1e9
    assert value(after, "magotp_otpcored_start_time_seconds") > 1e9
    assert value(after, "magotp_limit_used", limit="all", window="hour") >= 2
    assert value(after, "magotp_gateway_resting", gateway="outbox", channel="voice") == 0
    assert value(after, "magotp_smsd_queue_messages") == 0
    assert 'store="sqlite"' in next(iter(after["magotp_otpcored_info"]))


def test_no_name_and_no_number_is_in_it(desk):
    number = desk.with_phone("games")
    text = desk.ctl("metrics").stdout
    assert "games" not in text and number not in text and number[-4:] not in text.split()


def test_a_gateway_that_fails_is_seen(desk):
    desk.stop("smsd")
    desk.smsd_conf(**{"gateway \"odd\" \\ name": {"driver": "http", "channels": "sms", "priority": 1,
                                                 "url": "http://127.0.0.1:1/", "timeout": "1s",
                                                 "field.text": "{text}"}})
    desk.start_smsd()
    desk.with_phone("games")
    for failed in metrics(desk)["magotp_gateway_attempts_total"].items():
        if any("odd" in label for label in failed[0]) and 'outcome="failed"' in failed[0]:
            assert failed[1] >= 1
            return
    raise AssertionError("the gateway is not there")


def test_json_says_the_same(desk):
    desk.with_phone("games")
    text, rows = metrics(desk), desk.json("metrics")
    told = {(row["name"], frozenset('%s="%s"' % pair for pair in row["labels"].items()))
            for row in rows}
    assert told == {(name, labels) for name in text for labels in text[name]}
    assert {row["type"] for row in rows} == {"counter", "gauge", "histogram"}
    assert all(isinstance(row["value"], (int, float)) for row in rows)


def test_a_daemon_that_is_down_is_a_number_too(desk):
    desk.stop("smsd")
    p = desk.ctl("metrics")
    found = parse(p.stdout)
    assert value(found, "magotp_smsd_up") == 0 and value(found, "magotp_otpcored_up") == 1
    assert desk.smsd_socket in p.stderr
    assert "magotp_smsd_queue_messages" not in found
    desk.stop("broker")
    found = metrics(desk)
    assert {name: value(found, name) for name in found} == {
        "magotp_otpcored_up": 0, "magotp_smsd_up": 0}
    desk.start_smsd()
    found = metrics(desk)
    assert value(found, "magotp_smsd_up") == 1 and "magotp_smsd_queue_messages" in found


def test_only_root_is_told(desk):
    p = subprocess.run(desk._argv("magotpctl", ["--json", "metrics"]), capture_output=True,
                       text=True, user="games", group="games", extra_groups=[], cwd="/")
    assert p.returncode == 1 and p.stdout == ""
    assert json.loads(p.stderr)["error"] == "not-allowed"
