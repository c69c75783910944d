"""The test of the presets' test: every line of every preset is spoilt in every way that
comes to mind, and what test_smsd_presets.py looks at must show it."""

import concurrent.futures
import re
import time
import urllib.parse

from peers import HttpPeer, preset
from smsd import ACCEPTED, AMBIGUOUS, PERMANENT, TOP
from test_smsd_presets import API, KEY, LIFE, TEXT, THROTTLED, UNCLEAR, check_request

AT_ONCE = 30
COUNTRIES = re.findall(r'COUNTRY\("(2[2-6]\d)", "(\w\w)"\)',
                       (TOP / "smsd/country.def").read_text())[:AT_ONCE]
# A line that says what holds without it cannot be missed.
DEFAULTS = {"method": "POST", "encode": "form", "auth": "none", "retry": "429"}
# Lines that are not the provider's; channels is what the messages are sent by.
OURS = {"driver", "priority", "timeout", "channels"}
ANSWERS = {"success", "success_match", "retry", "retry_match", "unclear_match", "id",
           "error"}
# What the provider takes at least and at most: field, life asked for, what it must be.
SPANS = {
    "ttl_min": {"aws-sms": ("TimeToLive", 3, 5), "aws-voice": ("TimeToLive", 3, 5),
                "vonage-sms": ("ttl", 3, "20000")},
    "ttl_max": {"twilio-sms": ("ValidityPeriod", 72000, "36000")},
}
# A status that means taken, and a body that says it is not.
INSIDE = {"jasmin": (200, 'Error "No credit"'),
          "infobip-sms": (200, '{"messages": [{"messageId": "i2", "status": {"groupName": '
                               '"REJECTED", "name": "REJECTED_NOT_ENOUGH_CREDITS"}}]}'),
          "twilio-sms": (201, '{"sid": "SM1", "error_code": 30001}')}
OTHERS = {
    "method": ("GET", "PUT"), "encode": ("form", "json", "query"),
    "auth": ("none", "basic", "bearer", "header", "sigv4"),
    "{to}": ("{to_digits}",), "{to_digits}": ("{to}",), "{ttl}": ("{ttl_ms}", "{ttl_min}"),
    "{ttl_ms}": ("{ttl}",), "{ttl_min}": ("{ttl}",), "{ttl:number}": ("{ttl}", "{ttl_ms:number}"),
    "{ttl_min:number}": ("{ttl_min}", "{ttl:number}"), "{text}": ("{text}.", "{text:xml}"),
    "{expires_iso}": ("{ttl}",), "{id}": ("",),
}


def spoilt_lines(key, value, other_key):
    """What may stand instead of the line; None: nothing."""
    if DEFAULTS.get(key) != value:
        yield None
    if key.startswith("field."):
        yield f"{key}x = {value}"
    if key.startswith("header."):
        yield f"header.X-{key[7:]} = {value}"
    if key == "success":
        yield "success = 299"
    elif key == "retry":
        yield "retry = 428"
    elif key in ("id", "error"):
        yield f"{key} = /nowhere"
    elif key == "success_match":
        yield f"{key} = {value}x"
        yield f"{key} = /nowhere = 1"
    elif key in ("retry_match", "unclear_match"):
        yield f"{key} = {value}x"
    elif key == "password":
        yield f"password = {other_key}"
    elif key == "ttl_min":
        yield "ttl_min = 1s"
    elif key == "ttl_max":
        yield "ttl_max = 20h"
    elif key == "sigv4":
        yield from (f"sigv4 = {value.replace(a, b)}" for a, b in
                    (("us-east-1", "eu-west-1"), ("sns", "sqs"), ("voice", "video")) if a in value)
    else:
        for other in OTHERS.get(value, OTHERS.get(key, (value + "x",))):
            if other != value:
                yield f"{key} = {other}"


class Slot(HttpPeer):
    """One of the gateways that are tried at the same time, and its server."""

    def __init__(self, directory, index):
        super().__init__(directory)
        prefix, self.country = COUNTRIES[index]
        self.number, self.replies = f"+{prefix}5550134", []
        self.file = directory / f"gateways.d/{index:02}.conf"
        self.start()

    def answer(self, request):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def lines(self, name, key):
        """The preset with the test's own server."""
        text = preset(name)
        url = re.search(r"^url = (.*)$", text, re.M)[1]
        own = preset(name, url=self.url + urllib.parse.urlsplit(url).path, password=key)
        return [x for x in own.splitlines() if x and not x.startswith("#")]

    def try_one(self, smsd, name, key):
        """Fails if anything of what `key` decides is off."""
        *_, good, provider_id, bad, words = API[name]
        channel = "voice" if name.endswith("-voice") else "sms"

        def send(*replies, life=LIFE):
            self.requests.clear()
            self.replies = list(replies)
            return smsd.outcome(to=self.number, channel=channel, template="", code="", text=TEXT,
                                expires_at=int(time.time()) + life)

        reply = send(good)
        assert (reply["outcome"], reply["provider_id"]) == (ACCEPTED, provider_id)
        (request,) = self.requests
        check_request(name, request, self.number)
        if key in ANSWERS or key == "":
            reply = send(bad)
            assert reply["outcome"] == PERMANENT and words in reply["error"]
            if name in INSIDE:
                assert send(INSIDE[name])["outcome"] == PERMANENT
            if name in UNCLEAR:
                assert send(UNCLEAR[name])["outcome"] == AMBIGUOUS
            taken = {int(s) for s in re.findall(r"\d+", preset(name).split("\nsuccess = ")[1]
                                                .split("\n")[0])}
            status = next(s for s in (201, 202, 200) if s not in taken)
            assert send((status, good[1]))["outcome"] == AMBIGUOUS
            assert send(THROTTLED.get(name, (429, "{}")), good)["outcome"] == ACCEPTED
            if name in ("aws-sms", "aws-voice"):
                said = (400, '{"__type": "a#ThrottlingException", "Message": "slow"}')
                assert send(said, good)["outcome"] == ACCEPTED
        for span in SPANS:
            if name in SPANS[span] and key in (span, ""):
                field, life, value = SPANS[span][name]
                assert send(good, life=life)["outcome"] == ACCEPTED
                body = self.requests[0].body.decode()
                said = f'"{field}":{value}' if body.startswith("{") else f"{field}={value}&"
                assert said in body + "&"


def spoilt(slots_lines, other_key):
    """(name, key, what stands there instead) of all presets."""
    for name, lines in slots_lines.items():
        yield name, "", "", ""
        for i, line in enumerate(lines):
            key, _, value = line.partition(" = ")
            if key.startswith("[") or key in OURS:
                continue
            # A header that holds the password is all that auth = header stands for.
            if line == "auth = header":
                continue
            # Receipts are off here; test_smsd_receipts.py has them.
            if key.startswith("receipt") or key.startswith("poll"):
                continue
            for instead in spoilt_lines(key, value, other_key):
                yield name, key, i, instead


def load(smsd, texts):
    """Have the settings read; the indices of those that smsd itself refuses."""
    refused = set()
    while True:
        for index, (slot, text) in enumerate(texts):
            slot.file.write_text("" if index in refused else text)
        smsd.reload()
        last = smsd.log().rsplit("settings ", 1)[1]
        if last.startswith("read anew"):
            return refused
        found = re.search(r"\[gateway g(\d+)\]|gateways\.d/(\d+)\.conf", last)
        refused.add(int(found[1] or found[2]))


def test_every_spoilt_preset_is_noticed(smsd, directory):
    files = {}
    for name in ("right", "wrong"):
        file = directory / name
        file.write_text((KEY if name == "right" else "canary-of-another") + "\n")
        file.chmod(0o644)
        files[name] = f"file:{file}"
    smsd.configure(allowed_countries="*")
    slots = [Slot(directory, i) for i in range(AT_ONCE)]
    smsd.start()
    todo = list(spoilt({n: slots[0].lines(n, files["right"]) for n in sorted(API)},
                       files["wrong"]))
    assert len(todo) > 300
    # Those that need a pause between two tries side by side.
    todo.sort(key=lambda one: one[1] in ANSWERS or one[1] == "")
    unnoticed, refused_all, right = [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, len(todo), AT_ONCE):
            batch = todo[first:first + AT_ONCE]
            texts = []
            for index, ((name, _, i, instead), slot) in enumerate(zip(batch, slots)):
                lines = slot.lines(name, files["right"])
                if i != "":
                    lines[i:i + 1] = [instead] if instead else []
                lines[0] = f"[gateway g{index:02}]"
                texts.append((slot, "\n".join([*lines, f"countries = {slot.country}", ""])))
            refused = load(smsd, texts)
            refused_all += len(refused)
            tried = {i: pool.submit(slots[i].try_one, smsd, *batch[i][:2])
                     for i in range(len(batch)) if i not in refused}
            for i, future in tried.items():
                fault, name, key = future.exception(60), *batch[i][:2]
                if key == "":
                    assert fault is None, f"{name}: {fault}"
                    right += 1
                elif fault is None:
                    unnoticed.append((name, key, batch[i][3]))
    for slot in slots:
        slot.stop()
    print(f"{len(todo)} presets: {right} right, {refused_all} refused by smsd")
    assert right == len(API)
    assert unnoticed == []
