"""The http driver against a server that checks what Twilio checks."""

import re
import time

from peers import TwilioPeer, wait_for
from smsd import (ACCEPTED, AMBIGUOUS, CODE, EXPIRED, HOST, NUMBER, PERMANENT)


def test_text_arrives_as_twilio_wants_it(smsd, twilio):
    smsd.configure(twilio.preset())
    smsd.start()
    reply = smsd.outcome()
    assert reply["outcome"] == ACCEPTED
    assert reply["gateway"] == "twilio-sms"
    assert twilio.faults == []
    (message,) = twilio.messages()
    assert message["to"] == NUMBER
    assert message["text"] == (f"{CODE} is your login code for {HOST}. Good for 2 minutes. "
                               "Nobody will ask you for it.")
    assert reply["provider_id"] == message["sid"]


def test_P10_call_speaks_the_code_slowly_twice(smsd, twilio):
    smsd.configure(twilio.preset("voice"))
    smsd.start()
    assert smsd.outcome(channel="voice")["outcome"] == ACCEPTED
    (message,) = twilio.messages()
    assert twilio.faults == []
    assert message["text"].count("4. 8. 3. 9. 2. 0.") == 2


def test_xml_in_a_free_text_stays_text(smsd, twilio):
    smsd.configure(twilio.preset("voice"))
    smsd.start()
    evil = "</Say><Redirect>http://evil.example/</Redirect><Say>&amp;\"'"
    assert smsd.outcome(channel="voice", template="", code="", text=evil)["outcome"] == ACCEPTED
    assert evil in twilio.messages()[0]["text"]
    assert twilio.faults == []


def test_threat_22_nothing_in_a_text_leaves_its_field(smsd, twilio):
    smsd.configure(twilio.preset())
    smsd.start()
    evil = "a&To=%2B19005550000&Body=x\r\nX-Evil: 1\r\n\r\n{\"to\"}{var.sid}{password}%00é€😀"
    assert smsd.outcome(template="", code="", text=evil)["outcome"] == ACCEPTED
    (message,) = twilio.messages()
    assert (message["to"], message["text"]) == (NUMBER, evil)
    assert twilio.faults == []


def test_429_is_tried_again(smsd, twilio):
    twilio.answers = [429, 429]
    smsd.configure(twilio.preset())
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    assert len(twilio.requests) == 3
    first, second, third = (r.time for r in twilio.requests)
    assert second - first >= 0.2 and third - second > 0.4  # a pause, and a longer one


def test_500_is_unclear_and_goes_to_the_next_gateway_with_the_same_code(smsd, twilio):
    twilio.answers = [500]
    smsd.configure(twilio.preset(), smsd.outbox_gateway(priority=20))
    smsd.start()
    reply = smsd.outcome()
    assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "outbox")
    assert len(twilio.requests) == 1
    assert CODE in smsd.outbox_messages()[0]["text"]


def test_500_alone_is_answered_as_unclear_and_not_repeated(smsd, twilio):
    twilio.answers = [500]
    smsd.configure(twilio.preset())
    smsd.start()
    reply = smsd.outcome()
    assert reply["outcome"] == AMBIGUOUS
    assert "500" in reply["error"]
    assert len(twilio.requests) == 1


def test_400_is_final_for_this_gateway(smsd, twilio):
    twilio.answers = [400]
    smsd.configure(twilio.preset(), smsd.outbox_gateway(channels="email"))
    smsd.start()
    reply = smsd.outcome()
    assert (reply["outcome"], len(twilio.requests)) == (PERMANENT, 1)
    twilio.answers = [400]
    smsd.configure(twilio.preset(), smsd.outbox_gateway(priority=20))
    smsd.reload()
    assert smsd.outcome()["gateway"] == "outbox"


def test_wrong_password_is_final(smsd, twilio):
    smsd.configure(twilio.preset(**{"var.sid": "AC" + "0" * 32}))
    smsd.start()
    reply = smsd.outcome()
    assert reply["outcome"] == PERMANENT
    assert "Authenticate" in reply["error"]


def test_hanging_server_times_out_and_the_next_gateway_sends(smsd, twilio):
    twilio.hang.set()
    smsd.configure(twilio.preset(timeout="1s"), smsd.outbox_gateway(priority=20))
    smsd.start()
    start = time.monotonic()
    reply = smsd.outcome()
    assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "outbox")
    assert 0.9 < time.monotonic() - start < 3


def test_deadline_ends_a_hanging_attempt(smsd, twilio):
    twilio.hang.set()
    smsd.configure(twilio.preset(timeout="60s"))
    smsd.start()
    start = time.monotonic()
    reply = smsd.outcome(expires_at=int(time.time()) + 3)
    assert reply["outcome"] == AMBIGUOUS  # the request went out
    assert time.monotonic() - start < 5


def test_gateway_that_is_down_is_retried_until_the_message_expires(smsd, twilio):
    smsd.configure(twilio.preset())
    twilio.stop()
    smsd.start()
    start = time.monotonic()
    reply = smsd.outcome(expires_at=int(time.time()) + 3)
    assert reply["outcome"] == EXPIRED
    assert time.monotonic() - start < 4


def test_gateway_that_comes_back_in_time_gets_the_message(smsd, twilio):
    smsd.configure(twilio.preset())
    port = twilio.port
    twilio.stop()
    smsd.start()
    pending = smsd.later()
    wait_for("a failed attempt", lambda: smsd.gateways()["twilio-sms"]["failed"] > 0)
    twilio.gone.clear()
    twilio.start(port)
    assert pending.result(30)["outcome"] == ACCEPTED


def test_threat_23_system_authorities_do_not_count_where_ca_is_given(smsd, directory, authority):
    """The peer's authority is unknown to smsd: another file of authorities is."""
    stranger = type(authority)(directory, "another")
    with TwilioPeer(directory, authority) as peer:
        smsd.configure(peer.preset(ca=stranger.certificate), smsd.outbox_gateway(priority=20))
        smsd.start()
        assert smsd.outcome()["gateway"] == "outbox"
        assert peer.requests == []


def test_threat_23_proxies_of_the_environment_are_ignored(smsd, twilio, directory):
    with TwilioPeer(directory, twilio.authority) as proxy:
        at = f"http://127.0.0.1:{proxy.port}"
        names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        keys = directory / "tls-keys"
        keys.touch()
        keys.chmod(0o666)
        smsd.configure(twilio.preset())
        smsd.start({**{n: at for n in names}, "SSLKEYLOGFILE": str(keys)})
        assert smsd.outcome()["outcome"] == ACCEPTED
        assert proxy.requests == []
        assert keys.read_text() == ""


def test_threat_20_log_and_answers_hold_no_code_number_text_or_token(smsd, twilio):
    """The peer's errors repeat number and text: the worst a provider can do."""
    twilio.answers = [429, 500, 400]
    canary = "Canary words 7d1f that nobody may log"
    smsd.configure(twilio.preset(), twilio.preset("voice"))
    smsd.start()
    replies = [smsd.outcome(), smsd.outcome(template="", code="", text=canary),
               smsd.outcome(channel="voice"), smsd.outcome()]
    told = smsd.log() + repr(replies) + repr(smsd.gateways())
    for secret in (CODE, "4. 8. 3", NUMBER, NUMBER[1:], "2025550134", "202-555", canary[7:25],
                   "is your login code", twilio.TOKEN):
        assert secret not in told
    assert re.search(r"\.\.\.0134", smsd.log())
