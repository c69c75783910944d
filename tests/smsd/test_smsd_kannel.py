"""A real Kannel: what its fake SMSC shows is what a phone would get."""

import pytest

from peers import Kannel, wait_for
from smsd import ACCEPTED, CODE, HOST, NUMBER


@pytest.fixture
def kannel(directory):
    if Kannel.missing():
        pytest.skip(f"{Kannel.missing()} is not installed")
    with Kannel(directory) as peer:
        yield peer


def test_messages_arrive_at_the_smsc(smsd, kannel):
    smsd.configure(kannel.preset(), autofill="yes")
    smsd.start()
    assert smsd.outcome()["outcome"] == ACCEPTED
    wait_for("the last line", lambda: "@" in repr(kannel.messages()))
    (message,) = kannel.messages()
    assert message["to"] == NUMBER
    assert message["text"] == (f"{CODE} is your login code for {HOST}. Good for 2 minutes. "
                               f"Nobody will ask you for it.\n@{HOST} #{CODE}")
    odd = "50% off? a+b & c=d; #1 \"x\" 'y' /z"
    assert smsd.outcome(template="", code="", text=odd)["outcome"] == ACCEPTED
    wait_for("the second", lambda: len(kannel.messages()) == 2)
    assert kannel.messages()[1]["text"] == odd


def test_wrong_password_is_final(smsd, kannel, directory):
    wrong = directory / "wrong"
    wrong.write_text("nonsense")
    wrong.chmod(0o644)
    smsd.configure(kannel.preset(password=f"file:{wrong}"), smsd.outbox_gateway(priority=99))
    smsd.start()
    reply = smsd.outcome()
    assert reply["gateway"] == "outbox"
    assert kannel.messages() == []


def test_japanese_arrives_whole(smsd, kannel):
    """As UCS-2: with the coding of GSM-7 Kannel would send question marks."""
    smsd.configure(kannel.preset())
    smsd.start()
    assert smsd.outcome(language="ja", host="web1")["outcome"] == ACCEPTED
    wait_for("the message", kannel.messages)
    assert kannel.messages()[0]["text"] == (
        f"ログインコード: {CODE}、接続先: web1。有効時間は2分。"
        "他人に教えないでください。")
