"""A real Kannel bound by SMPP to an SMSC that delivers, fails, throttles or says nothing.
Kannel's answer to magotp-smsd is the same each time: what became of it only receipts tell."""

import time
import urllib.parse

import pytest

from peers import HttpPeer, Kannel, wait_for
from smpp import SmppKannel, SmppServer
from smsd import ACCEPTED, CODE, NUMBER


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


@pytest.mark.parametrize("mode, types", [
    ("deliver", [8, 1]), ("undeliver", [8, 2]), ("fail", [16]), ("silent", [8])])
def test_kannel_takes_it_whatever_the_smsc_does(smsd, start, smsc, receipts, mode, types):
    start(mode)
    assert smsd.outcome()["outcome"] == ACCEPTED
    wait_for("the receipts", lambda: len(receipts.types) >= len(types))
    assert receipts.types == types
    if mode != "fail":
        (message,) = smsc.messages
        assert (message["to"], message["receipt"]) == (NUMBER, True) and CODE in message["text"]


def test_kannel_tells_nothing_of_an_smsc_that_throttles(smsd, start, smsc, receipts):
    """202, and no receipt: it waits 15 seconds before it asks the SMSC again. Only a receipt
    that stays away can tell. (Last here: its queue holds the message.)"""
    start("throttle")
    assert smsd.outcome()["outcome"] == ACCEPTED
    wait_for("the SMSC", lambda: smsc.attempts == 1)
    time.sleep(0.5)
    assert (receipts.types, smsc.messages, smsc.attempts) == ([], [], 1)
