"""What became of a message: receipts that come, fail, stay away and are forged."""

import json
import os
import re
import signal
import socket
import ssl
import time
import urllib.parse
import urllib.request

import pytest

import wirepy
from peers import HttpPeer, Kannel, TwilioPeer, post_form, preset, wait_for
from smsd import (ACCEPTED, CODE, DELIVERED, FAILED, NOTHING, NUMBER, PERMANENT, UNKNOWN)
from test_smsd_presets import API, fields_of


class Asked(TwilioPeer):
    """Also tells the state of a message when it is asked."""

    states = {}  # by the sid; default: sent
    asked = 0

    def answer(self, request):
        match = re.fullmatch(r".*/(?:Messages|Calls)/(\w+)\.json", request.path)
        if not match:
            return super().answer(request)
        self.asked += 1
        assert request.method == "GET" and request.headers["Authorization"].startswith("Basic ")
        return 200, json.dumps({"sid": match[1], **self.states.get(match[1], {"status": "sent"})})


@pytest.fixture
def watched(smsd, twilio):
    """Twilio with callbacks; the outbox is the next gateway."""
    smsd.take_receipts()
    smsd.configure(twilio.preset(receipts="callback"), smsd.outbox_gateway(priority=20))
    return smsd.start()


def pending(smsd, message):
    with pytest.raises(TimeoutError):
        smsd.delivery(message, timeout=0.3)
    return True


def test_delivered_is_told_to_whoever_waits(watched, twilio):
    assert watched.outcome(id="a")["gateway"] == "twilio-sms"
    waiting = watched.pool.submit(watched.delivery, "a")
    (message,) = twilio.messages()
    assert twilio.call_back(message, "sent") == 200
    assert not waiting.done() and pending(watched, "a")
    assert twilio.call_back(message, "delivered") == 200
    assert waiting.result(5) == (DELIVERED, "")
    assert watched.delivery("a") == (DELIVERED, "")
    assert watched.outbox_messages() == []


def test_failed_is_sent_by_the_next_gateway_at_once_with_the_same_code(watched, twilio):
    watched.outcome(id="a")
    start = time.monotonic()
    assert twilio.call_back(twilio.messages()[0], "undelivered") == 200
    wait_for("the second message", watched.outbox_messages)
    assert time.monotonic() - start < 3
    assert CODE in watched.outbox_messages()[0]["text"]
    assert watched.delivery("a") == (NOTHING, "")  # the outbox says no more
    counted = watched.gateways()["twilio-sms"]
    assert [counted[k] for k in ("accepted", "delivered", "undelivered", "silent")] == [1, 0, 1, 0]


def test_silent_receipt_is_sent_by_the_next_gateway(smsd, twilio):
    smsd.take_receipts()
    smsd.configure(twilio.preset(receipts="callback", receipt_wait="1s"),
                   smsd.outbox_gateway(priority=20))
    smsd.start()
    assert smsd.outcome()["gateway"] == "twilio-sms"
    wait_for("the second message", smsd.outbox_messages)
    assert CODE in smsd.outbox_messages()[0]["text"]
    assert "no receipt came" in smsd.log()
    assert smsd.gateways()["twilio-sms"]["silent"] == 1


def test_used_code_goes_out_no_more(smsd, twilio):
    smsd.take_receipts()
    smsd.configure(twilio.preset(receipts="callback", receipt_wait="1s"),
                   smsd.outbox_gateway(priority=20))
    smsd.start()
    smsd.outcome(id="typed")
    smsd.outcome(id="dead")
    smsd.used("typed")
    smsd.used("dead", 0)
    assert smsd.delivery("typed") == (DELIVERED, "")
    assert smsd.delivery("dead") == (NOTHING, "")
    time.sleep(1.5)
    assert smsd.outbox_messages() == []


@pytest.mark.parametrize("status, word", [("busy", "busy"), ("no-answer", "no-answer"),
                                          ("failed", "undelivered"), ("canceled", "rejected")])
def test_calls_say_why_nobody_answered(smsd, twilio, status, word):
    smsd.take_receipts()
    smsd.configure(twilio.preset("voice", receipts="callback"))
    smsd.start()
    smsd.outcome(id="a", channel="voice")
    assert twilio.call_back(twilio.messages()[0], status, "CallStatus") == 200
    assert smsd.delivery("a") == (FAILED, word)


def test_voicemail_is_a_failure_of_a_call_that_was_completed(smsd, twilio):
    smsd.take_receipts()
    smsd.configure(twilio.preset("voice", receipts="callback"))
    smsd.start()
    smsd.outcome(id="a", channel="voice")
    (message,) = twilio.messages()
    form = {"CallSid": message["sid"], "CallStatus": "completed", "AnsweredBy": "machine_start"}
    signature = twilio.sign(message["callback"], form)
    assert post_form(message["callback"], form, {"X-Twilio-Signature": signature}) == 200
    assert smsd.delivery("a") == (FAILED, "voicemail")


def test_threat_24_forged_receipts_are_refused_and_change_nothing(watched, twilio):
    watched.outcome(id="a")
    watched.outcome(id="b")
    a, b = twilio.messages()
    base, gateway, ident, mac = a["callback"].rsplit("/", 3)
    form = {"MessageSid": a["sid"], "MessageStatus": "undelivered"}

    def forge(url, form=form, signed=None):
        signature = twilio.sign(url, signed or form)
        return post_form(url, form, {"X-Twilio-Signature": signature})

    other = "0" if mac[0] != "0" else "1"
    wrong_paths = [f"{base}/{gateway}/{ident}/{other}{mac[1:]}", f"{base}/{gateway}/b/{mac}",
                   f"{base}/outbox/{ident}/{mac}", f"{base}/{gateway}/{ident}/",
                   f"{base}/{gateway}/{ident}", f"{base}/{gateway}/{ident}/{mac}0",
                   f"{base}/{gateway}/{ident}/{mac.upper()}x", f"{base}//", base,
                   f"{base}/{gateway}/{urllib.parse.quote('a/../b')}/{mac}"]
    assert [forge(url) for url in wrong_paths] == [403] * len(wrong_paths)
    # The right path, but not Twilio: no signature, another's, of other parameters.
    assert post_form(a["callback"], form) == 403
    assert post_form(a["callback"], form, {"X-Twilio-Signature": "A" * 28}) == 403
    assert forge(a["callback"], form, {**form, "MessageStatus": "delivered"}) == 403
    assert forge(a["callback"], {**form, "More": "1"}, form) == 403
    assert post_form(a["callback"] + "?MessageStatus=undelivered", {},
                     {"X-Twilio-Signature": twilio.sign(a["callback"], {})}) == 403
    assert pending(watched, "a") and pending(watched, "b")
    assert watched.outbox_messages() == []
    assert twilio.call_back(b, "delivered") == 200
    assert watched.delivery("b") == (DELIVERED, "") and pending(watched, "a")
    log = watched.log()
    assert "receipts refused" in log and log.count("receipts refused") == 1


def test_threat_24_paths_cannot_be_guessed_and_die_with_the_process(watched, twilio):
    for i in range(3):
        watched.outcome(id=f"m{i}")
    macs = [m["callback"].rsplit("/", 1)[1] for m in twilio.messages()]
    assert len(set(macs)) == 3 and all(re.fullmatch("[0-9a-f]{32}", m) for m in macs)
    watched.stop()
    watched.start()
    assert twilio.call_back(twilio.messages()[0], "undelivered") == 403
    assert watched.delivery("m0") == (UNKNOWN, "")  # a restart has forgotten it
    watched.outcome(id="m0")
    assert twilio.messages()[3]["callback"].rsplit("/", 1)[1] != macs[0]


def listener_pid(smsd):
    """The child that is no thread of the daemon."""
    children = open(f"/proc/{smsd.process.pid}/task/{smsd.process.pid}/children").read().split()
    assert len(children) == 1
    return int(children[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to look into the process")
def test_threat_24_listening_process_has_no_file_no_way_out_and_no_secret(watched, twilio):
    watched.outcome(id="a")
    pid = listener_pid(watched)
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert status["Uid"].split()[0] == str(os.stat(watched.outbox).st_uid)
    if "Seccomp" in status:
        assert status["Seccomp"] == "2"
    kinds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert all(k == "/dev/null" or k.startswith(("socket:", "anon_inode:", "pipe:"))
               for k in kinds), kinds
    secrets = (twilio.TOKEN.encode(), CODE.encode(), NUMBER.encode())
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{pid}/maps"):
            low, high, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not mode.startswith("rw"):
                continue
            memory.seek(int(low, 16))
            found = memory.read(int(high, 16) - int(low, 16))
            assert not any(secret in found for secret in secrets), line


def raw(url, text):
    """The answer to any bytes; b"" if the connection was closed without one."""
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as s:
        try:
            s.sendall(text)
            return s.recv(4096)
        except ConnectionError:
            return b""


def test_threat_24_nonsense_ends_the_request_and_nothing_else(watched, twilio):
    watched.outcome(id="a")
    url = twilio.messages()[0]["callback"]
    path = urllib.parse.urlsplit(url).path.encode()
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    answers = [raw(url, text) for text in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET " + path + b" HTTP/1.1\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n",
        b"GET " + path + b"a" * 700 + b" HTTP/1.0\r\n\r\n",
        b"DELETE " + path + b" HTTP/1.0\r\n\r\n",
        b"POST " + path + b" HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n",
        b"POST " + path + b" HTTP/1.0\r\n" + form + b"Content-Length: 3\r\n\r\na\x00b",
        b"POST " + path + b" HTTP/1.0\r\nContent-Type: application/json\r\n"
        b"Content-Length: 8\r\n\r\n" + b"[[[[[[[[",
        b"POST " + path + b" HTTP/1.0\r\n" + form + b"Content-Length: 799\r\n\r\n" +
        b"&".join(b"a%d=b" % i for i in range(200))[:799],
    )]
    assert not any(b" 200 " in a.split(b"\r\n")[0] for a in answers), answers
    assert pending(watched, "a")
    assert twilio.call_back(twilio.messages()[0], "delivered") == 200
    assert watched.delivery("a") == (DELIVERED, "")


def test_stop_does_not_wait_for_receipts(watched, twilio):
    watched.outcome(id="a")
    waiting = watched.pool.submit(watched.delivery, "a")
    wait_for("the question", lambda: waiting.running())
    time.sleep(0.2)
    start = time.monotonic()
    assert watched.stop(signal.SIGTERM) == 0
    assert time.monotonic() - start < 3
    assert waiting.result(5) == (NOTHING, "")


def test_callbacks_need_a_listener(smsd, twilio):
    smsd.configure(twilio.preset(receipts="callback"))
    assert "needs [receipts] listen and url" in smsd.check().stderr
    smsd.configure(smsd.outbox_gateway(receipts="callback"))
    assert 'driver "outbox" has no "callback"' in smsd.check().stderr
    smsd.take_receipts()
    smsd.receipts[-1] = "url = http://sms.example.org/hook"
    smsd.configure(twilio.preset(receipts="callback"))
    assert "[receipts] url" in smsd.check().stderr


def test_without_receipts_no_field_names_a_url(smsd, twilio):
    smsd.configure(twilio.preset())
    smsd.start()
    smsd.outcome(id="a")
    assert twilio.messages()[0]["callback"] is None
    assert smsd.delivery("a") == (NOTHING, "")


def test_receipts_over_tls_of_its_own(smsd, twilio, authority):
    certificate, key = authority.issue("receipts", "localhost")
    url = smsd.take_receipts()
    smsd.receipts[-1] = f"url = {url.replace('http://127.0.0.1', 'https://localhost')}"
    smsd.receipts += [f"certificate = {certificate}", f"key = {key}"]
    smsd.configure(twilio.preset(receipts="callback"))
    smsd.start()
    smsd.outcome(id="a")
    (message,) = twilio.messages()
    form = {"MessageSid": message["sid"], "MessageStatus": "delivered"}
    request = urllib.request.Request(message["callback"], urllib.parse.urlencode(form).encode(),
                                     {"X-Twilio-Signature": twilio.sign(message["callback"], form)})
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        assert answer.status == 200
    assert smsd.delivery("a") == (DELIVERED, "")


class Provider(HttpPeer):
    """Takes every message, in the words of the preset's API."""

    reply = (200, "{}")

    def answer(self, request):
        return self.reply


def call_back(url, kind, payload):
    """As the provider does it; status and body of the answer."""
    if kind == "query":
        request = urllib.request.Request(f"{url}{'&' if '?' in url else '?'}{payload}")
    else:
        kinds = {"form": "application/x-www-form-urlencoded",
                 "json": "application/json; charset=utf-8"}
        request = urllib.request.Request(url, payload.encode(), {"Content-Type": kinds[kind]})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


# Fields that a preset adds for receipts (URL: where they are taken), and what comes there.
# Twilio, who signs, and a real Kannel stand elsewhere.
RECEIPTS = {
    "vonage-sms": ({"callback": "URL"}, "query", "msisdn=1&status=rejected&err-code=5", "rejected"),
    "kannel": ({"dlr-mask": "27", "dlr-url": "URL?status=%d"}, "query", "status=16", "rejected"),
    "jasmin": ({"dlr": "yes", "dlr-level": "2", "dlr-method": "POST", "dlr-url": "URL"},
               "form", "id=07033084&level=2&message_status=UNDELIV", "undelivered"),
    "plivo-sms": ({"url": "URL", "method": "POST"}, "form", "MessageUUID=u1&Status=rejected",
                  "rejected"),
    "messagebird-sms": ({"reportUrl": "URL", "reference": "a"}, "query",
                        "id=b1&reference=a&status=delivery_failed", "undelivered"),
    "telnyx-sms": ({"webhook_url": "URL"}, "json", json.dumps(
        {"data": {"event_type": "message.finalized",
                  "payload": {"to": [{"status": "delivery_failed"}]}}}), "undelivered"),
    "sinch-sms": ({"delivery_report": "per_recipient_final", "callback_url": "URL"}, "json",
                  json.dumps({"type": "recipient_delivery_report_sms", "status": "Rejected",
                              "code": 402}), "rejected"),
    "infobip-sms": ({"notifyUrl": "URL", "notifyContentType": "application/json"}, "json",
                    json.dumps({"results": [{"status": {"groupName": "UNDELIVERABLE", "id": 9},
                                             "messageId": "i1"}]}), "undelivered"),
}


@pytest.mark.parametrize("name", sorted(RECEIPTS))
def test_receipts_of_presets(smsd, directory, name):
    extra, kind, payload, word = RECEIPTS[name]
    method, path, _, encoding, *_ = API[name]
    (directory / "key").write_text("canary")
    (directory / "key").chmod(0o644)
    hook = smsd.take_receipts()
    with Provider(directory) as peer:
        peer.reply = API[name][5]
        smsd.configure(preset(name, **{"url": peer.url + path, "receipts": "callback",
                                       "password": f"file:{directory / 'key'}"}))
        smsd.start()
        assert smsd.outcome(id="a")["outcome"] == ACCEPTED
        _, found = fields_of(peer.requests[0], encoding)
        found = found["messages"][0] if "messages" in found else found
        urls = [v for v in found.values() if isinstance(v, str) and v.startswith(hook)]
        url = urls[0].removesuffix("?status=%d")
        for key, value in extra.items():
            assert found[key] == value.replace("URL", url)
        assert call_back(url, "json", '{"unknown": [1, {"x": null}]}')[0] == 200
        assert pending(smsd, "a")
        # Jasmin repeats what is not answered with these words.
        assert call_back(url, kind, payload) == (200, b"ACK/Jasmin")
        assert smsd.delivery("a") == (FAILED, word)


def test_threat_24_the_socket_takes_no_receipts(watched, twilio):
    watched.outcome(id="a")
    path = urllib.parse.urlsplit(twilio.messages()[0]["callback"]).path
    result, _ = wirepy.call(watched.socket, "receipt", {"serial": 1, "path": path})
    assert result.error == "UNSUPPORTED" and pending(watched, "a")


@pytest.mark.skipif(not os.environ.get("MAGOTP_LONG"), reason="MAGOTP_LONG=1: takes 12 seconds")
def test_threat_24_slow_strangers_lose_their_place(watched, twilio):
    """More of them than there are descriptors, each with a byte now and then."""
    watched.outcome(id="a")
    (message,) = twilio.messages()
    address = urllib.parse.urlsplit(message["callback"]).netloc.split(":")
    strangers = [socket.create_connection((address[0], int(address[1]))) for _ in range(400)]
    end = time.monotonic() + 12
    while time.monotonic() < end:
        for s in strangers:
            try:
                s.send(b"G")
            except OSError:
                pass
        time.sleep(1)
    assert twilio.call_back(message, "delivered") == 200
    assert watched.delivery("a") == (DELIVERED, "")
    for s in strangers:
        s.close()


# ---- asked instead of called ----

def test_poll_asks_until_it_knows(smsd, directory, authority):
    with Asked(directory, authority) as twilio:
        url = f"{twilio.url}/2010-04-01/Accounts/{{var.sid}}/Messages/{{provider_id}}.json"
        smsd.configure(twilio.preset(receipts="poll", poll_every="1s", poll_url=url),
                       smsd.outbox_gateway(priority=20))
        smsd.start()
        smsd.outcome(id="a")
        sid = twilio.messages()[0]["sid"]
        wait_for("a question", lambda: twilio.asked >= 2)
        assert pending(smsd, "a")
        twilio.states = {sid: {"status": "delivered"}}
        assert smsd.delivery("a") == (DELIVERED, "")
        asked = twilio.asked
        time.sleep(1.3)
        assert twilio.asked == asked
        smsd.outcome(id="b")
        twilio.states = {twilio.messages()[1]["sid"]: {"status": "undelivered"}}
        wait_for("the second message", smsd.outbox_messages)
        assert twilio.faults == []


def test_poll_goes_to_the_host_of_the_gateway_only(smsd, twilio):
    smsd.configure(twilio.preset(receipts="poll", poll_url="https://evil.example/{provider_id}"))
    assert "poll_url: must lead to the host of url" in smsd.check().stderr


# ---- Kannel ----

@pytest.fixture
def kannel(directory):
    if Kannel.missing():
        pytest.skip(f"{Kannel.missing()} is not installed")
    with Kannel(directory) as peer:
        yield peer


def test_kannel_says_8_and_then_1(smsd, kannel):
    smsd.take_receipts()
    smsd.configure(kannel.preset(receipts="callback"), smsd.outbox_gateway(priority=20))
    smsd.start()
    assert smsd.outcome(id="a")["gateway"] == "kannel"
    assert smsd.delivery("a", 20) == (DELIVERED, "")
    wait_for("the message", kannel.messages)
    assert smsd.outbox_messages() == []


@pytest.fixture
def smpp(directory):
    """Kannel before an SMSC that does what its mode says."""
    from smpp import SmppKannel, SmppServer
    if Kannel.missing():
        pytest.skip(f"{Kannel.missing()} is not installed")
    with SmppServer() as smsc, SmppKannel(directory, smsc) as kannel:
        yield smsc, kannel


def test_kannel_says_2_or_nothing_and_the_next_gateway_sends(smsd, smpp):
    """Accepted, says Kannel, whatever its SMSC does: UNDELIV comes back as 2; of a message
    that was throttled nothing is heard."""
    smsc, kannel = smpp
    smsc.mode = "undeliver"
    smsd.take_receipts()
    smsd.configure(kannel.preset(receipts="callback", receipt_wait="2s"),
                   smsd.outbox_gateway(priority=20))
    smsd.start()
    assert smsd.outcome(id="a")["gateway"] == "kannel"
    wait_for("the second message", smsd.outbox_messages)
    assert CODE in smsd.outbox_messages()[0]["text"]
    assert re.search(r"message a by kannel \(sms\): failed: undelivered", smsd.log())
    smsc.mode = "throttle"
    assert smsd.outcome(id="b")["gateway"] == "kannel"
    wait_for("the third message", lambda: len(smsd.outbox_messages()) == 2)
    assert "message b: accepted by kannel, and no receipt came" in smsd.log()


def test_threat_18_block_whose_codes_nobody_types_gets_no_more(smsd):
    smsd.configure(smsd.outbox_gateway(), used_watch=3)
    smsd.start()
    for i in range(4):
        smsd.outcome(id=f"u{i}")
        smsd.used(f"u{i}", i == 1)  # the second was typed: counted anew
    assert smsd.outcome(id="last")["outcome"] == ACCEPTED
    smsd.used("last", 0)
    rows = smsd.limits()
    assert (rows["unused"]["day_used"], rows["unused"]["day_limit"]) == (3, 3)
    assert abs(rows["unused +12025550"]["stopped_until"] - time.time() - 86400) < 60
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT and "used" in reply["error"]
    assert smsd.outcome(template="test")["outcome"] == ACCEPTED
    assert smsd.outcome(to="+12025551134")["outcome"] == ACCEPTED
    assert "the last 3 codes were not used" in smsd.log() and NUMBER not in smsd.log()
    smsd.reload()
    assert smsd.outcome()["outcome"] == PERMANENT
