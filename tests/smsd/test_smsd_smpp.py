"""A real Kannel bound by SMPP to an SMSC that delivers, fails, throttles or says nothing.
Kannel's answer to magotp-smsd is the same each time: what became of it only receipts tell."""

import time
import urllib.parse

import pytest

from peers import HttpPeer, Kannel, wait_for
from smpp import SmppKannel, SmppServer
from smsd import ACCEPTED, CODE, DELIVERED, NUMBER


class Receipts(HttpPeer):
    """Where Kannel reports to; `types`: what it said (8 taken by the SMSC, 1 arrived,
    2 did not, 16 the SMSC refused it)."""

    def answer(self, request):
        return 200, ""

    @property
    def types(self):
        return [int(urllib.parse.parse_qs(r.path.partition("?")[2])["type"][0])
                for r in self.requests]


@pytest.fixture(scope="module")
def smsc():
    with SmppServer() as peer:
        yield peer


@pytest.fixture(scope="module")
def kannel(smsc, tmp_path_factory):
    if Kannel.missing():
        pytest.skip(f"{Kannel.missing()} is not installed")
    import smsd as smsd_module
    directory = smsd_module.new_directory()
    with SmppKannel(directory, smsc) as peer:
        yield peer
    smsd_module.remove_directory(directory)


@pytest.fixture
def receipts(directory):
    with Receipts(directory) as peer:
        yield peer


@pytest.fixture
def start(smsd, smsc, kannel, receipts):
    """start(mode): smsd behind Kannel, whose SMSC does that."""
    def make(mode, *others, **values):
        smsc.mode, smsc.messages[:], smsc.attempts = mode, [], 0
        smsd.configure(kannel.preset(**{
            "field.dlr-url": f"{receipts.url}/?type=%d", "field.dlr-mask": "31", **values}),
            *others)
        smsd.start()
    return make


@pytest.fixture
def start_watched(smsd, smsc, kannel):
    """start_watched(mode): as well, with receipts, and a gateway to fall back on."""
    def make(mode, **values):
        smsc.mode, smsc.messages[:], smsc.attempts = mode, [], 0
        smsd.take_receipts()
        smsd.configure(kannel.preset(receipts="callback", **values),
                       smsd.outbox_gateway(priority=20))
        smsd.start()
    return make


@pytest.mark.parametrize("mode, types", [
    ("deliver", [8, 1]), ("undeliver", [8, 2]), ("fail", [16]), ("silent", [8])])
def test_kannel_takes_it_whatever_the_smsc_does(smsd, start, smsc, receipts, mode, types):
    start(mode)
    assert smsd.outcome()["outcome"] == ACCEPTED
    wait_for("the receipts", lambda: len(receipts.types) >= len(types))
    assert sorted(receipts.types) == sorted(types)  # Kannel promises no order among requests
    if mode != "fail":
        (message,) = smsc.messages
        assert (message["to"], message["receipt"]) == (NUMBER, True) and CODE in message["text"]


@pytest.mark.parametrize("mode, word", [("undeliver", "undelivered"), ("fail", "rejected")])
def test_failed_receipt_goes_to_the_next_gateway_at_once(smsd, smsc, start_watched, mode, word):
    start_watched(mode)
    begun = time.monotonic()
    assert smsd.outcome(id="a")["gateway"] == "kannel"
    wait_for("the next gateway", smsd.outbox_messages)
    assert time.monotonic() - begun < 3
    assert CODE in smsd.outbox_messages()[0]["text"]
    assert f"message a by kannel (sms): failed: {word}" in smsd.log()
    assert smsc.attempts == 1


def test_delivered_is_known(smsd, smsc, start_watched):
    start_watched("deliver")
    smsd.outcome(id="a")
    assert smsd.delivery("a") == (DELIVERED, "")
    assert (smsc.attempts, smsd.outbox_messages()) == (1, [])


@pytest.mark.parametrize("mode", ["silent", "mute", "throttle"])
def test_threat_31_silence_goes_to_the_next_gateway(smsd, start_watched, smsc, mode):
    """Throttled, Kannel waits 15 seconds before it asks the SMSC again, and tells nobody:
    only a receipt that stays away can. (Last here: its queue holds the message.)"""
    start_watched(mode, receipt_wait="1s")
    begun = time.monotonic()
    reply = smsd.outcome()
    assert (reply["outcome"], reply["gateway"]) == (ACCEPTED, "kannel")
    wait_for("the next gateway", smsd.outbox_messages)
    assert 0.9 < time.monotonic() - begun < 5
    assert CODE in smsd.outbox_messages()[0]["text"]
    assert "accepted by kannel, and no receipt came" in smsd.log()
    assert smsc.attempts >= 1
    assert len(smsc.messages) == (mode == "silent")
