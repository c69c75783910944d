"""Each preset of conf/gateways.d against a recorded description of its API: the whole
request, a good answer and a bad one. A field, header or encoding that is off fails."""

import base64
import datetime
import json
import time
import urllib.parse

import pytest

from peers import PRESETS, HttpPeer, preset
from smsd import ACCEPTED, AMBIGUOUS, NUMBER, PERMANENT
from test_smsd_http import sign_v4

DIGITS = NUMBER[1:]
TEXT = "Grüße: 1 & 2 = \"3\" <4> 100% +5 €"
SPOKEN = f"{TEXT} Once more. {TEXT}"
KEY = "canary-key-5512"
LIFE = 600  # seconds


class Between:
    """A number that depends on the clock; of the wanted kind (text or number)."""

    def __init__(self, low, high, kind=str):
        self.low, self.high, self.kind = low, high, kind

    def __eq__(self, other):
        return type(other) is self.kind and self.low <= int(other) <= self.high

    def __repr__(self):
        return f"{self.kind.__name__} {self.low}..{self.high}"


class Soon:
    """RFC 3339, when the message ends."""

    def __eq__(self, other):
        at = datetime.datetime.strptime(other, "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=datetime.timezone.utc)
        return abs(at.timestamp() - time.time() - LIFE) < 10


def basic(user):
    return "Basic " + base64.b64encode(f"{user}:{KEY}".encode()).decode()


TTL, TTL_NUMBER = Between(LIFE - 10, LIFE), Between(LIFE - 10, LIFE, int)
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
AMZ = "application/x-amz-json-1.0"
SID = "AC" + "0" * 32

# name: (method, path, headers, encoding, fields, good answer, its id, bad answer, its words)
API = {
    "twilio-sms": (
        "POST", f"/2010-04-01/Accounts/{SID}/Messages.json",
        {"Authorization": basic(SID), "Content-Type": FORM, "Accept": JSON}, "form",
        {"To": NUMBER, "From": "+15005550006", "Body": TEXT, "ValidityPeriod": TTL},
        (201, '{"sid": "SM1", "status": "queued", "error_code": null}'), "SM1",
        (400, '{"code": 21610, "message": "unsubscribed recipient", "status": 400}'),
        "unsubscribed recipient"),
    "twilio-voice": (
        "POST", f"/2010-04-01/Accounts/{SID}/Calls.json",
        {"Authorization": basic(SID), "Content-Type": FORM, "Accept": JSON}, "form",
        {"To": NUMBER, "From": "+15005550006", "Timeout": "40",
         "Twiml": '<Response><Pause length="1"/><Say language="en-US">' +
                  SPOKEN.replace("&", "&#38;").replace('"', "&#34;").replace("<", "&#60;")
                        .replace(">", "&#62;") + "</Say></Response>"},
        (201, '{"sid": "CA1", "status": "queued"}'), "CA1",
        (400, '{"code": 21215, "message": "not permitted"}'), "not permitted"),
    "vonage-sms": (
        "POST", "/sms/json", {"Authorization": None, "Content-Type": FORM}, "form",
        {"api_key": "00000000", "api_secret": KEY, "from": "Example", "to": DIGITS, "text": TEXT, "type": "text",
         "ttl": Between((LIFE - 10) * 1000, LIFE * 1000), "client-ref": ""},
        (200, '{"message-count": "1", "messages": [{"status": "0", "message-id": "0A1"}]}'), "0A1",
        (200, '{"messages": [{"status": "7", "error-text": "Number barred"}]}'), "Number barred"),
    "aws-sns": (
        "POST", "/", {"Content-Type": FORM, "sigv4": "sns"}, "form",
        {"Action": "Publish", "Version": "2010-03-31", "PhoneNumber": NUMBER, "Message": TEXT},
        (200, "<PublishResponse/>"), "", (403, "<ErrorResponse/>"), "HTTP 403"),
    "aws-sms": (
        "POST", "/", {"Content-Type": AMZ, "sigv4": "sms-voice",
                      "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage"}, "json",
        {"DestinationPhoneNumber": NUMBER, "OriginationIdentity": "+15005550006",
         "MessageBody": TEXT, "MessageType": "TRANSACTIONAL", "TimeToLive": TTL_NUMBER},
        (200, '{"MessageId": "m-1"}'), "m-1",
        (400, '{"__type": "ConflictException", "Message": "opted out"}'), "opted out"),
    "aws-voice": (
        "POST", "/", {"Content-Type": AMZ, "sigv4": "sms-voice",
                      "X-Amz-Target": "PinpointSMSVoiceV2.SendVoiceMessage"}, "json",
        {"DestinationPhoneNumber": NUMBER, "OriginationIdentity": "+15005550006",
         "MessageBody": SPOKEN, "MessageBodyTextType": "TEXT", "TimeToLive": TTL_NUMBER},
        (200, '{"MessageId": "m-2"}'), "m-2",
        (400, '{"__type": "ValidationException", "Message": "wrong number"}'), "wrong number"),
    "plivo-sms": (
        "POST", "/v1/Account/MA000000000000000000/Message/",
        {"Authorization": basic("MA000000000000000000"), "Content-Type": JSON}, "json",
        {"src": "+15005550006", "dst": NUMBER, "text": TEXT},
        (202, '{"message_uuid": ["u1"], "api_id": "a"}'), "u1",
        (400, '{"error": "dst is wrong"}'), "dst is wrong"),
    "telnyx-sms": (
        "POST", "/v2/messages", {"Authorization": f"Bearer {KEY}", "Content-Type": JSON}, "json",
        {"from": "+15005550006", "to": NUMBER, "text": TEXT},
        (200, '{"data": {"id": "t1"}}'), "t1",
        (422, '{"errors": [{"code": "40300", "detail": "Blocked due to STOP"}]}'),
        "Blocked due to STOP"),
    "messagebird-sms": (
        "POST", "/messages", {"Authorization": f"AccessKey {KEY}", "Content-Type": JSON}, "json",
        {"originator": "Example", "recipients": [DIGITS], "body": TEXT, "datacoding": "auto",
         "validity": TTL_NUMBER},
        (201, '{"id": "b1"}'), "b1",
        (422, '{"errors": [{"code": 9, "description": "no (correct) recipients"}]}'),
        "no (correct) recipients"),
    "sinch-sms": (
        "POST", f"/xms/v1/{'0' * 32}/batches",
        {"Authorization": f"Bearer {KEY}", "Content-Type": JSON}, "json",
        {"from": "15005550006", "to": [DIGITS], "body": TEXT, "expire_at": Soon()},
        (201, '{"id": "s1"}'), "s1",
        (400, '{"code": "syntax_invalid_parameter_format", "text": "invalid MSISDN"}'),
        "invalid MSISDN"),
    "sinch-voice": (
        "POST", "/calling/v1/callouts",
        {"Authorization": basic("00000000-0000-0000-0000-000000000000"), "Content-Type": JSON},
        "json",
        {"method": "ttsCallout", "ttsCallout": {
            "cli": "+15005550006", "destination": {"type": "number", "endpoint": NUMBER},
            "locale": "en-US", "text": SPOKEN}},
        (200, '{"callId": "c1"}'), "c1",
        (400, '{"errorCode": 40001, "message": "invalid destination"}'), "invalid destination"),
    "infobip-sms": (
        "POST", "/sms/2/text/advanced",
        {"Authorization": f"App {KEY}", "Content-Type": JSON, "Accept": JSON}, "json",
        {"messages": [{"destinations": [{"to": DIGITS}], "from": "Example", "text": TEXT,
                       "validityPeriod": Between(LIFE // 60 - 1, LIFE // 60, int)}]},
        (200, '{"messages": [{"messageId": "i1", "status": {"groupName": "PENDING"}}]}'), "i1",
        (401, '{"requestError": {"serviceException": {"text": "Invalid login details"}}}'),
        "Invalid login details"),
    "clicksend-sms": (
        "POST", "/v3/sms/send",
        {"Authorization": basic("account@example.org"), "Content-Type": JSON}, "json",
        {"messages": [{"source": "magotp", "from": "Example", "to": NUMBER, "body": TEXT}]},
        (200, '{"response_code": "SUCCESS", "data": {"messages": [{"status": "SUCCESS", '
              '"message_id": "k1"}]}}'), "k1",
        (200, '{"response_msg": "queued", "data": {"messages": [{"status": '
              '"INVALID_RECIPIENT"}]}}'), "queued"),
    "kannel": (
        "GET", "/cgi-bin/sendsms", {"Authorization": None, "Content-Type": None}, "query",
        {"username": "otp", "password": KEY, "to": NUMBER, "from": "15005550006", "text": TEXT,
         "charset": "UTF-8", "coding": "0", "validity": Between(LIFE // 60 - 1, LIFE // 60)},
        (202, "0: Accepted for delivery"), "", (403, "Authorization failed"), "HTTP 403"),
    "jasmin": (
        "GET", "/send", {"Authorization": None, "Content-Type": None}, "query",
        {"username": "otp", "password": KEY, "to": DIGITS, "from": "15005550006", "content": TEXT,
         "validity-period": Between(LIFE // 60 - 1, LIFE // 60)},
        (200, 'Success "07033084"'), "", (412, 'Error "No route found"'), "HTTP 412"),
}
# Drivers with tests of their own.
OTHERS = {"outbox", "smtp", "gammu", "smstools", "exec", "sip"}


class Api(HttpPeer):
    reply = (200, "{}")

    def answer(self, request):
        return self.reply


@pytest.fixture
def api(directory):
    with Api(directory) as peer:
        yield peer


@pytest.fixture
def start(smsd, api, directory):
    """start(name): smsd with this preset; only host and password are the test's."""
    def make(name):
        key = directory / "key"
        key.write_text(KEY + "\n")
        key.chmod(0o644)
        text = preset(name)
        url = next(line for line in text.splitlines() if line.startswith("url = "))
        path = urllib.parse.urlsplit(url.removeprefix("url = ")).path
        smsd.configure(preset(name, url=api.url + path, password=f"file:{key}"))
        smsd.start()
        channel = "voice" if name.endswith("-voice") else "sms"
        return lambda: smsd.outcome(channel=channel, template="", code="", text=TEXT,
                                    expires_at=int(time.time()) + LIFE)
    return make


def fields_of(request, encoding):
    path, _, query = request.path.partition("?")
    body = request.body.decode()
    if encoding == "json":
        assert query == ""
        return path, json.loads(body)
    assert (query == "") == (encoding == "form") and (body == "") == (encoding == "query")
    pairs = urllib.parse.parse_qsl(body or query, strict_parsing=True, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return path, dict(pairs)


def test_every_preset_has_its_description():
    there = {p.name.removesuffix(".conf.example") for p in PRESETS.glob("*.conf.example")}
    assert there == set(API) | OTHERS


def with_number(value, number):
    """A description for another number than NUMBER."""
    if isinstance(value, dict):
        return {k: with_number(v, number) for k, v in value.items()}
    if isinstance(value, list):
        return [with_number(v, number) for v in value]
    return {NUMBER: number, DIGITS: number[1:]}.get(value, value) if type(value) is str else value


def check_request(name, request, number=NUMBER):
    """Fails if anything in it is not as described."""
    method, path, headers, encoding, fields, *_ = API[name]
    assert request.method == method
    found_path, found = fields_of(request, encoding)
    assert found_path == path
    if "client-ref" in fields:  # the message's own id
        fields = {**fields, "client-ref": found["client-ref"]}
        assert found["client-ref"]
    assert found == with_number(fields, number)
    for header, value in headers.items():
        if header != "sigv4":
            assert request.headers.get_all(header, [None]) == [value], header
    service = headers.get("sigv4")
    if service:
        scheme, rest = request.headers["Authorization"].split(" ", 1)
        parts = dict(p.strip().split("=", 1) for p in rest.split(","))
        date = request.headers["X-Amz-Date"]
        assert scheme == "AWS4-HMAC-SHA256"
        assert parts["Credential"] == (f"AKIA0000000000000000/{date[:8]}/us-east-1/{service}"
                                       "/aws4_request")
        assert parts["Signature"] == sign_v4(request, KEY, date, "us-east-1", service,
                                             parts["SignedHeaders"])


@pytest.mark.parametrize("name", sorted(API))
def test_request_and_good_answer(start, api, name):
    good, provider_id = API[name][5:7]
    send = start(name)
    api.reply = good
    reply = send()
    assert (reply["outcome"], reply["provider_id"]) == (ACCEPTED, provider_id), reply
    (request,) = api.requests
    check_request(name, request)


@pytest.mark.parametrize("name", sorted(API))
def test_bad_answer_is_final_and_says_why(start, api, name):
    *_, bad, words = API[name]
    send = start(name)
    api.reply = bad
    reply = send()
    assert reply["outcome"] == PERMANENT and words in reply["error"], reply
    assert len(api.requests) == 1


# How they say "slow down"; all others by 429.
THROTTLED = {
    "kannel": (503, "Temporal failure, try again later."),
    "jasmin": (403, 'Error "User throughput exceeded"'),
    "vonage-sms": (200, '{"messages": [{"status": "1", "error-text": "Throttled"}]}'),
}
# A body that leaves open whether the message went out.
UNCLEAR = {
    "vonage-sms": (200, '{"messages": [{"status": "5", "error-text": "Internal Error"}]}'),
}


@pytest.mark.parametrize("name, throttled", [
    *((n, THROTTLED.get(n, (429, "{}"))) for n in sorted(API)),
    ("aws-sms", (400, '{"__type": "com.amazonaws.x#ThrottlingException", "Message": "slow"}')),
    ("aws-voice", (400, '{"__type": "ThrottlingException"}')),
])
def test_throttled_request_is_tried_again(start, api, name, throttled):
    send = start(name)
    answers = [throttled, API[name][5]]
    api.answer = lambda request: answers.pop(0)
    assert send()["outcome"] == ACCEPTED
    assert len(api.requests) == 2


@pytest.mark.parametrize("name", sorted(UNCLEAR))
def test_internal_error_of_the_provider_is_unclear(start, api, name):
    send = start(name)
    api.reply = UNCLEAR[name]
    reply = send()
    assert reply["outcome"] == AMBIGUOUS and "Internal Error" in reply["error"]


# What shares its status with "slow down", and what is taken but for the body.
REFUSED = [
    ("jasmin", (403, 'Error "Authentication failure for username:otp"')),
    ("jasmin", (403, 'Error "Cannot charge submit_sm, check RouterPB log file for details"')),
    ("infobip-sms", (200, '{"messages": [{"messageId": "i2", "status": '
                          '{"groupName": "REJECTED"}}]}')),
]


@pytest.mark.parametrize("name, answer", REFUSED)
def test_refusal_that_looks_like_something_else_is_final(start, api, name, answer):
    send = start(name)
    api.reply = answer
    assert send()["outcome"] == PERMANENT
    assert len(api.requests) == 1


@pytest.mark.parametrize("name, field, value", [
    ("vonage-sms", "type", "unicode"), ("kannel", "coding", "2")])
def test_what_gsm7_lacks_is_sent_as_unicode(smsd, start, api, name, field, value):
    start(name)
    api.reply = API[name][5]
    assert smsd.outcome(language="ja")["outcome"] == ACCEPTED
    _, found = fields_of(api.requests[0], API[name][3])
    assert found[field] == value and "ログインコード" in json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("language, locale", [
    ("de", "de-DE"), ("fr_CA", "fr-FR"), ("es", "es-ES"), ("ja", "ja-JP"), ("pt", "en-US")])
def test_voices_are_told_the_language_of_the_words(smsd, start, api, language, locale):
    start("sinch-voice")
    api.reply = API["sinch-voice"][5]
    assert smsd.outcome(channel="voice", language=language)["outcome"] == ACCEPTED
    call = json.loads(api.requests[0].body)["ttsCallout"]
    assert call["locale"] == locale
    assert call["text"].count("4. 8. 3. 9. 2. 0.") == 2
