"""What the tools say and ask on a terminal."""

import os
import shutil
import signal

import pexpect
from desk import finish
from house import wrong


def elevate(desk, child, number):
    """The second step, as the conversation asks for it."""
    child.expect("(?i)choice|for 1: |code: ")
    if "ode: " not in child.after:
        child.sendline("1")
        child.expect("(?i)code: ")
    child.sendline(desk.code(number))


def test_lists_have_a_header_on_a_terminal(desk):
    desk.person("games")
    out = finish(desk.terminal("magotpctl", "account", "list"))
    header, row = out.splitlines()
    assert header.split("  ")[0] == "ACCOUNT"
    assert "LAST LOGIN" in header
    assert row.split() == ["games", "pending", "-", "1", "never", "-"]


def test_P3_P11_P12_enroll_asks_for_name_and_code(desk):
    desk.person("games")
    desk.ctl("account", "set", "games", "--first", "Ga", "--last", "Mes")
    number = desk.number()
    child = desk.terminal("magotpctl", "enroll", "games", "--key", desk.key(), "--phone", number)
    child.expect("Name +Ga Mes")
    child.expect("Number +" + "\\" + number)
    child.expect("Country +US")
    child.expect("carrier may charge")
    child.expect("Y/n")
    assert desk.messages(number) == []
    child.sendline("")
    child.expect("Code sent by text to " + number[-4:])
    child.expect("Code: ")
    child.sendline(wrong(desk.code(number)))
    child.expect("Wrong code, 2 tries left")
    child.expect("Code: ")
    child.sendline("")  # an empty answer never counts as a try
    child.expect("Code: ")
    child.sendline(desk.code(number))
    child.expect("is active until")
    assert "second phone" in finish(child)


def test_P3_no_at_the_question_sends_nothing(desk):
    desk.person("games")
    number = desk.number()
    child = desk.terminal("magotpctl", "enroll", "games", "--key", desk.key(), "--phone", number)
    child.expect("Y/n")
    child.sendline("n")
    assert "Nothing was sent" in finish(child, 1)
    assert desk.messages(number) == []


def test_P5_voice_instead_of_text_at_the_prompt(make_desk):
    desk = make_desk(phone={"resend_wait": "0s"})
    desk.person("games")
    desk.own("games", "activate", desk.key())
    number = desk.number()
    child = desk.terminal("magotp", "phone", "add", user="games")
    child.expect("Phone number")
    child.sendline(number)
    child.expect("Y/n")
    child.sendline("y")
    child.expect("Code: ")
    child.sendline("v")
    child.expect("Calling phone " + number[-4:])
    child.expect("Code: ")
    assert desk.last_message(number)["channel"] == "voice"
    child.sendline(desk.code(number))
    child.expect("is active until")
    finish(child)


def test_activate_asks_for_the_key(desk):
    desk.person("games")
    child = desk.terminal("magotp", "activate", user="games")
    child.expect("Licence key: ")
    child.sendline(desk.key())
    child.expect("Key accepted: phone-us")
    finish(child)


def test_P6_a_change_elevates_on_the_spot(desk):
    number = desk.with_phone("games")
    child = desk.terminal("magotp", "phone", "channel", "p1", "voice", user="games")
    child.expect("second step first")
    elevate(desk, child, number)
    child.expect("p1 now gets voice calls")
    finish(child)
    assert desk.json("phone", "list", "games")[0]["channel"] == "voice"


def test_P6_add_a_second_phone_after_elevating_once(desk):
    number, other = desk.with_phone("games"), desk.number()
    child = desk.terminal("magotp", "phone", "add", other, user="games")
    child.expect("second step first")
    elevate(desk, child, number)
    child.expect("Y/n")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(desk.code(other))
    child.expect("is active until")
    assert "second step" not in finish(child)
    assert len(desk.json("phone", "list", "games")) == 2


def test_P6_wrong_codes_change_nothing(desk):
    number = desk.with_phone("games")
    child = desk.terminal("magotp", "phone", "channel", "p1", "voice", user="games")
    elevate_wrong = True
    child.expect("(?i)choice|for 1: |code: ")
    if "ode: " not in child.after:
        child.sendline("1")
        child.expect("(?i)code: ")
    for _ in range(3):
        child.sendline(wrong(desk.code(number)))
        if child.expect(["(?i)code: ", pexpect.EOF]) == 1:
            break
    child.close()
    assert elevate_wrong and child.exitstatus == 1
    assert desk.json("phone", "list", "games")[0]["channel"] == "text"


def test_elevate_on_a_terminal_runs_the_command(desk):
    number = desk.with_phone("games")
    child = desk.terminal("magotp", "elevate", "--", "echo", "it-ran", user="games")
    elevate(desk, child, number)
    child.expect("it-ran")
    finish(child)


def test_P7_the_person_says_whether_it_came(desk):
    desk.with_phone("games")
    child = desk.terminal("magotp", "phone", "test", "p1", user="games")
    child.expect("Did it arrive")
    child.sendline("n")
    child.expect("--voice")
    finish(child, 1)


def test_interrupt_is_130(desk):
    desk.person("games")
    child = desk.terminal("magotp", "activate", user="games")
    child.expect("Licence key: ")
    child.sendintr()
    finish(child, 130)
    child = desk.terminal("magotp", "activate", user="games")
    child.expect("Licence key: ")
    os.kill(child.pid, signal.SIGINT)
    finish(child, 130)
    child = desk.terminal("magotp", "activate", user="games")
    child.expect("Licence key: ")
    child.sendeof()
    finish(child, 130)


def test_delete_asks_and_no_changes_nothing(desk):
    desk.person("games")
    child = desk.terminal("magotpctl", "account", "delete", "games")
    child.expect("Go on")
    child.sendline("n")
    finish(child, 1)
    assert len(desk.json("account", "list")) == 1


def test_progress_of_many_keys(desk):
    out = os.path.join(desk.dir, "keys")
    argv = desk._argv("magotpctl", ("license", "issue", "--product", "phone-us", "--count", "300"))
    child = pexpect.spawn("/bin/sh", ["-c", "%s > %s" % (" ".join(argv), out)], timeout=20,
                          encoding="utf-8")
    child.expect("300 of 300")
    finish(child)
    assert len(open(out).read().split()) == 300


def test_setup_asks_for_licences_and_gateway(make_desk):
    desk = make_desk(start=False)
    del desk.sections["licences"]
    desk.conf()
    shutil.copy(desk.program("otpcored"), desk.bin)
    presets = os.path.join(desk.dir, "gateways.d")
    os.mkdir(presets)
    with open(os.path.join(presets, "twilio-sms.conf.example"), "w") as f:
        f.write("# fill in\n")
    child = desk.terminal("magotpctl", "setup")
    child.expect("licence key here")
    child.sendline("n")
    child.expect("twilio-sms")
    child.sendline("twilio-sms")
    child.expect("fill in your account's values")
    finish(child)
    assert os.path.exists(os.path.join(presets, "twilio-sms.conf"))
    assert desk.ctl("config", "get", "licences.mode").stdout == "automatic\n"
    # A second time nothing is asked or touched.
    finish(desk.terminal("magotpctl", "setup"), 1)


def test_setup_asks_nothing_in_a_pipe(make_desk):
    desk = make_desk(start=False)
    shutil.copy(desk.program("otpcored"), desk.bin)
    desk.ctl("setup")
    desk.start()
    desk.person("games")


def test_P6_a_missing_licence_is_asked_for(desk):
    number = desk.number()
    child = desk.terminal("magotpctl", "enroll", "games", "--phone", number)
    child.expect("Licence key: ")
    child.sendline("nonsense")
    child.expect("key-mistyped")
    finish(child, 1)
    child = desk.terminal("magotp", "phone", "add", number, user="games")
    child.expect("Licence key: ")
    child.sendline(desk.key())
    child.expect("Key accepted")
    child.expect("Y/n")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(desk.code(number))
    child.expect("is active until")
    finish(child)
