"""Other shapes of the http driver: JSON, bearer, header, SigV4, rules on bodies."""

import hashlib
import hmac
import json
import time
import urllib.parse

import pytest

import sip
from peers import PRESETS, HttpPeer, Request, preset
from smsd import ACCEPTED, AMBIGUOUS, CODE, NUMBER, PERMANENT


class Api(HttpPeer):
    """Answers what it is told to; plain HTTP on loopback."""

    reply = (200, "{}")

    def answer(self, request):
        replies = self.reply if isinstance(self.reply, list) else [self.reply]
        if isinstance(self.reply, list) and len(self.reply) > 1:
            self.reply = self.reply[1:]
        return replies[0]

    @property
    def json(self):
        return json.loads(self.requests[-1].body)


@pytest.fixture
def api(directory):
    with Api(directory) as peer:
        yield peer


@pytest.fixture
def password(directory):
    file = directory / "password"
    file.write_text("canary-key-5512\n")
    file.chmod(0o644)
    return f"file:{file}"


def test_bearer_and_json(smsd, api, password):
    api.reply = (200, '{"data": {"id": "40385f64-5717-4562"}}')
    smsd.configure(preset("telnyx-sms", url=f"{api.url}/v2/messages", password=password))
    smsd.start()
    reply = smsd.outcome()
    assert (reply["outcome"], reply["provider_id"]) == (ACCEPTED, "40385f64-5717-4562")
    request = api.requests[0]
    assert request.headers["Authorization"] == "Bearer canary-key-5512"
    assert request.headers["Content-Type"] == "application/json"
    assert set(api.json) == {"from", "to", "text"} and api.json["to"] == NUMBER
    assert CODE in api.json["text"]


def test_header_auth_numbers_and_arrays(smsd, api, password):
    api.reply = (201, '{"id": 42}')
    smsd.configure(preset("messagebird-sms", url=f"{api.url}/messages", password=password))
    smsd.start()
    assert smsd.outcome()["provider_id"] == "42"
    assert api.requests[0].headers["Authorization"] == "AccessKey canary-key-5512"
    assert api.json["recipients"] == [NUMBER[1:]]
    assert isinstance(api.json["validity"], int) and 110 <= api.json["validity"] <= 120


def test_nested_pointers(smsd, api, password):
    taken = {"messageId": "x1", "status": {"groupName": "PENDING"}}
    api.reply = (200, json.dumps({"messages": [taken]}))
    smsd.configure(preset("infobip-sms", url=f"{api.url}/sms/2/text/advanced", password=password))
    smsd.start()
    assert smsd.outcome()["provider_id"] == "x1"
    message = api.json["messages"][0]
    assert message["destinations"] == [{"to": NUMBER[1:]}]
    assert message["validityPeriod"] == 2


def test_threat_22_json_strings_hold_whatever_comes(smsd, api, password):
    api.reply = (200, '{"data": {"id": "1"}}')
    smsd.configure(preset("telnyx-sms", url=f"{api.url}/v2/messages", password=password))
    smsd.start()
    evil = 'a","to":"+19005550000","x":"\\ \u0001 \x7f </script> \u2028 é 😀 {to} {{'
    assert smsd.outcome(template="", code="", text=evil)["outcome"] == ACCEPTED
    assert api.json["text"] == evil and api.json["to"] == NUMBER


def test_vonage_is_judged_by_its_body(smsd, api, password):
    def body(status, **more):
        return 200, json.dumps({"messages": [{"status": status, **more}]})

    smsd.configure(preset("vonage-sms", url=f"{api.url}/sms/json", password=password))
    smsd.start()
    api.reply = [body("1", **{"error-text": "Throttled"}), body("0", **{"message-id": "v7"})]
    reply = smsd.outcome()
    assert (reply["outcome"], reply["provider_id"], len(api.requests)) == (ACCEPTED, "v7", 2)
    form = dict(urllib.parse.parse_qsl(api.requests[-1].body.decode()))
    assert form["to"] == NUMBER[1:] and form["api_secret"] == "canary-key-5512"
    assert 100_000 < int(form["ttl"]) <= 120_000
    api.reply = body("4", **{"error-text": f"Bad credentials for {NUMBER} {CODE}"})
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT
    assert "Bad credentials" in reply["error"] and CODE not in reply["error"]
    assert NUMBER[1:] not in reply["error"]
    api.reply = (200, "<html>a proxy's page</html>")
    assert smsd.outcome()["outcome"] == AMBIGUOUS


def test_ttl_is_never_less_than_the_provider_takes(smsd, api, password):
    api.reply = (200, '{"messages": [{"status": "0"}]}')
    smsd.configure(preset("vonage-sms", url=f"{api.url}/sms/json", password=password))
    smsd.start()
    assert smsd.outcome(expires_at=int(time.time()) + 10)["outcome"] == ACCEPTED
    form = dict(urllib.parse.parse_qsl(api.requests[-1].body.decode()))
    assert form["ttl"] == "20000"


def sign_v4(request, secret, date, region, service, signed):
    """AWS Signature Version 4, written from its description, for comparison."""
    names = signed.split(";")
    headers = "".join(f"{n}:{' '.join((request.headers[n] or '').split())}\n" for n in names)
    canonical = "\n".join([request.method, "/", "", headers, signed,
                           hashlib.sha256(request.body).hexdigest()])
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (date[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("method, body, more, signature", [
    ("GET", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", b"Param1=value1", {"content-type": "application/x-www-form-urlencoded"},
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")])
def test_what_signatures_are_compared_with_is_right(method, body, more, signature):
    """Two of AWS's own vectors: get-vanilla and post-x-www-form-urlencoded."""
    date = "20150830T123600Z"
    headers = {**more, "host": "example.amazonaws.com", "x-amz-date": date}
    assert sign_v4(Request(method, "/", headers, body, 0),
                   "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", date, "us-east-1", "service",
                   ";".join(sorted(headers))) == signature


def test_aws_signature_is_right(smsd, api, password):
    smsd.configure(preset("aws-sns", url=f"{api.url}/", password=password))
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    request = api.requests[0]
    form = dict(urllib.parse.parse_qsl(request.body.decode()))
    assert form["Action"] == "Publish" and form["PhoneNumber"] == NUMBER
    parts = dict(p.strip().split("=", 1) for p in
                 request.headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
    assert parts["Credential"].startswith("AKIA0000000000000000/")
    assert parts["Signature"] == sign_v4(request, "canary-key-5512", request.headers["X-Amz-Date"],
                                         "us-east-1", "sns", parts["SignedHeaders"])


def test_threat_22_a_text_that_a_header_cannot_carry_is_not_sent(smsd, api):
    smsd.configure(f"""[gateway g]
driver = http
url = {api.url}/x
header.X-Text = {{text}}
field.to = {{to}}
""")
    smsd.start()
    reply = smsd.outcome(template="", code="", text="a\r\nX-Evil: 1")
    assert (reply["outcome"], api.requests) == (PERMANENT, [])
    assert "cannot make the request" in reply["error"]
    assert smsd.outcome(template="", code="", text="harmless")["outcome"] == ACCEPTED
    assert api.requests[0].headers["X-Text"] == "harmless"


def test_put_and_own_content_type(smsd, api):
    smsd.configure(f"""[gateway g]
driver = http
url = {api.url}/x
method = PUT
encode = json
header.Content-Type = application/x-test
field./to = {{to}}
""")
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    (request,) = api.requests
    assert (request.method, request.headers.get_all("Content-Type")) == ("PUT", ["application/x-test"])


def test_secret_variables_come_from_files(smsd, api, password):
    smsd.configure(f"""[gateway g]
driver = http
url = {api.url}/{{var.key}}/x?token={{var.key}}&n={{to}}
encode = json
var.key = {password}
field.a = {{var.key}} {{{{literal}}}}
""")
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    assert api.requests[0].path == "/canary-key-5512/x?token=canary-key-5512&n=%2B12025550134"
    assert api.json == {"a": "canary-key-5512 {literal}"}


@pytest.mark.parametrize("line, complaint", [
    ("url = ftp://example.org/", "https://"),
    ("url = http://example.org/", "plain_http"),
    ("url = https://{to}.example.org/", "placeholders stand in path and query only"),
    ("url = https://user:pw@example.org/", "not a URL"),
    ("field.x = {tto}", "do you mean {to}?"),
    ("field.x = {var.none}", "there is no var.none"),
    ("field.x = {to", "brace"),
    ("header.Bad Name = x", "no name of a header"),
    ("auth = basic", "password: is missing"),
    ("var.key = file:/nonexistent", "conf:5: var.key = (not shown): cannot be read"),
    ("password = plain text", "password"),
    ("header.X = {nonsense}", "unknown placeholder"),
    ("field.{nonsense} = x", "unknown placeholder"),
    ("username = {username}", "unknown placeholder"),
    ("url = https://example.org/#x", "fragment"),
    ("url = https://exa mple.org/", "not a URL"),
    ("url = https://example.org/{", "brace"),
    ("retry = none", "no HTTP status"),
    ("retry_match = x", "none of"),
    ("unclear_match = /status in", "none of"),
    ("error = message", "no JSON pointer"),
    ("field.to = {to", "brace"),
    ("driver = outbox", "has no"),
    ("timeout = 0s", "timeout"),
    ("weight = 0", "weight"),
    ("success = 2000", "no HTTP status"),
    ("success_match = status ok", "none of"),
    ("id = sid", "no JSON pointer"),
    ("method = GET", "encode = query"),
    ("directory = /tmp", "has no \"directory\""),
    ("ca = /nonexistent.pem", "cannot be read"),
    ("channels = pigeon", "has no channel \"pigeon\""),
    ("countries = UK", "is no country"),
    ("tiemout = 6s", "timeout"),
])
def test_mistakes_are_named(smsd, line, complaint):
    key = line.split(" = ")[0]
    good = {"driver": "http", "url": "https://api.example.org/x", "field.to": "{to}"}
    lines = [f"{k} = {v}" for k, v in good.items() if k != key] + [line]
    smsd.configure("[gateway g]\n" + "\n".join(lines) + "\n")
    done = smsd.check()
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("lines, complaint", [
    (["auth = basic", "PASSWORD"], "username: is missing"),
    (["auth = sigv4", "username = u", "PASSWORD"], "sigv4: is missing"),
    (["auth = header", "PASSWORD"], "header.Authorization"),
    (["encode = json", "field./to/x = y"], "no JSON pointer"),
    ([f"var.v{i} = x" for i in range(17)], "too many values"),
    ([f"header.X-{i} = x" for i in range(17)], "too many headers"),
    (["encode = json"] + [f"field./f{i} = x" for i in range(33)], "too many fields"),
])
def test_mistakes_of_several_lines_are_named(smsd, password, lines, complaint):
    text = "\n".join(lines).replace("PASSWORD", f"password = {password}")
    smsd.configure("[gateway g]\ndriver = http\nurl = https://api.example.org/x\n"
                   f"field.to = {{to}}\n{text}\n")
    done = smsd.check()
    assert done.returncode == 1
    assert complaint in done.stderr


@pytest.mark.parametrize("text, complaint", [
    ("[gateway g]\nchannels = sms\n", "driver is missing"),
    ("[gateway g]\ndriver = http\nurl = https://a.example/\n", "what is to be sent?"),
    ("[gateway g]\ndriver = outbox\ndirectory = relative\n", "absolute path"),
    (f"[gateway {'g' * 40}]\ndriver = outbox\ndirectory = /tmp\n", "too long"),
    ("".join(f"[gateway g{i}]\ndriver = outbox\ndirectory = /tmp\n" for i in range(33)), "at most"),
    ("[smsd]\nallowed_countries = US Atlantis\n", "is no country"),
    ("[gateway]\ndriver = outbox\n", "name"),
    ("[smsd]\nsockett = /x\n", "socket"),
])
def test_mistakes_of_sections_are_named(smsd, text, complaint):
    smsd.configure(text)
    done = smsd.check()
    assert done.returncode == 1
    assert complaint in done.stderr


def test_every_preset_is_right(smsd, directory, password):
    names = sorted(p.name.removesuffix(".conf.example") for p in PRESETS.glob("*.conf.example"))
    own = {**dict.fromkeys(("outbox", "gammu", "smstools", "exec"), {}),
           "sip": {"password": password, "program": "/bin/true",
                   "voice": sip.make_voice(directory / "voice")}}
    assert len(names) > 10
    texts = [preset(n, **own.get(n, {"password": password})) for n in names]
    smsd.configure(*texts)
    done = smsd.check()
    assert done.returncode == 0, done.stderr
    assert f"{len(names)} gateways" in done.stdout
