"""Tokens from the tools: imported, activated, put right, given up (H1-H9, M1,
K4), and what a file of tokens may not do (threat 36)."""

import base64
import hashlib
import hmac
import json
import os
import re
import struct
import subprocess
import time
import urllib.parse

import pexpect
import pytest
import escapes
from desk import finish
from house import build_dir

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = "serial,type,secret,digits,counter|step,algorithm\n"
SEED = b"12345678901234567890"  # of RFC 4226
HOTP = "urn:ietf:params:xml:ns:keyprov:pskc:hotp"
TOTP = "urn:ietf:params:xml:ns:keyprov:pskc:totp"


def hotp(counter, digits=6, seed=SEED):
    """Another implementation than the broker's: oathtool."""
    p = subprocess.run(["oathtool", "--hotp", "-c", str(counter), "-d", str(digits), seed.hex()],
                       capture_output=True, text=True, check=True)
    return p.stdout.strip()


def totp(secret, ahead=0, step=30):
    counter = struct.pack(">Q", int(time.time()) // step + ahead)
    mac = hmac.new(secret, counter, hashlib.sha1).digest()
    at = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 10 ** 6)


def line(serial="100001", kind="hotp", secret=SEED.hex(), digits=6, moving=0, algorithm="sha1"):
    return "%s,%s,%s,%s,%s,%s\n" % (serial, kind, secret, digits, moving, algorithm)


def write(desk, text, name="tokens.csv"):
    path = os.path.join(desk.dir, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def example(name):
    with open(os.path.join(HERE, "pskc", name), encoding="utf-8") as f:
        return f.read()


def package(serial="100001", secret=SEED, counter="0", key="K1", algorithm=HOTP, digits="6",
            policy="", more=""):
    """A key package of RFC 6030, in plain."""
    moving = "" if counter is None else \
        "<Counter><PlainValue>%s</PlainValue></Counter>" % counter
    return ('<KeyPackage><DeviceInfo><SerialNo>%s</SerialNo></DeviceInfo>'
            '<Key Id="%s" Algorithm="%s"><AlgorithmParameters>'
            '<ResponseFormat Length="%s" Encoding="DECIMAL"/></AlgorithmParameters>'
            '<Data><Secret><PlainValue>%s</PlainValue></Secret>%s%s</Data>%s</Key></KeyPackage>'
            % (serial, key, algorithm, digits, base64.b64encode(secret).decode(), moving, more,
               policy))


def container(*packages, version='Version="1.0"', head=""):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n%s<KeyContainer %s '
            'xmlns="urn:ietf:params:xml:ns:keyprov:pskc">%s</KeyContainer>\n'
            % (head, version, "".join(packages)))


def desk_hints(desk):
    return json.loads(desk.own("games", "--json").stdout)["hints"]


def stock(desk):
    return sorted(t["serial"] for t in desk.json("token", "list"))


def refused(desk, text, *args, name="tokens.csv"):
    """Not imported, and nothing of it is there; what was said."""
    p = desk.ctl("token", "import", write(desk, text, name), *args, code=1)
    assert "Nothing was imported." in p.stderr
    assert desk.error(p) == "import-fault"
    assert stock(desk) == []
    return p.stderr


def holder(desk, user="games", serial="100001"):
    """A person with a licence for a token, which lies in the inventory."""
    desk.person(user)
    desk.own(user, "activate", desk.key("hardware"))
    desk.ctl("token", "import", write(desk, HEADER + line(serial)))
    return user


def with_token(desk, user="games", serial="100001"):
    holder(desk, user, serial)
    desk.own(user, "token", "add", serial, hotp(0), hotp(1))
    return user


# ---- CSV ----

def test_H1_csv_tokens_of_every_kind_are_imported(desk):
    rows = [line("A1"), line("A2", "TOTP", SEED.hex().upper(), 8, 60, "sha512"),
            line("A3", "totp", base64.b32encode(SEED).decode(), 7, 30, "SHA-256"),
            '"A4", hotp , "%s",6,9007199254740993,sha1\r\n' % SEED.hex()]
    p = desk.ctl("token", "import", write(desk, "\ufeff" + HEADER + "".join(rows)))
    assert p.stdout == "4 tokens imported\n"
    assert "[" not in p.stderr  # no progress bar in a pipe
    assert stock(desk) == ["A1", "A2", "A3", "A4"]
    shown = desk.json("token", "show", "A2")
    assert (shown["type"], shown["digits"], shown["state"]) == ("totp", 8, "stock")


@pytest.mark.parametrize("row,column,what", [
    (line(serial=""), "serial", "missing"),
    (line(serial="a b"), "serial", "printable"),
    (line(serial="x" * 65), "serial", "longer than 64"),
    (line(kind="motp"), "type", "neither hotp nor totp"),
    (line(secret="zz"), "secret", "neither hex nor base32"),
    (line(secret="00" * 15), "secret", "shorter than 16"),
    (line(secret="00" * 65), "secret", "longer than 64"),
    (line(secret=""), "secret", "shorter than 16"),
    (line(digits=5), "digits", "not 6, 7 or 8"),
    (line(digits="six"), "digits", "not 6, 7 or 8"),
    (line(moving=""), "counter|step", "counter is missing"),
    (line(moving=-1), "counter|step", "not a counter"),
    (line(kind="totp", moving=""), "counter|step", "step is missing"),
    (line(kind="totp", moving=45), "counter|step", "30 or 60"),
    (line(algorithm="md5"), "algorithm", "not sha1"),
    (line(algorithm=""), "algorithm", "not sha1"),
    ("100001,hotp\n", "", "fewer than six"),
    (line().strip() + ",x\n", "", "more than six"),
    (line("100000"), "serial", "is there twice"),
])
def test_csv_faults_are_named_with_row_and_column(desk, row, column, what):
    said = refused(desk, HEADER + line("100000") + row)
    assert "row 3" + (", " + column if column else "") + ": " in said
    assert what in said


def test_csv_every_fault_is_told(desk):
    said = refused(desk, HEADER + line("1", digits=5) + line("2") + line("3", "x", "y"))
    assert [x for x in ("row 2, digits", "row 4, type", "row 4, secret") if x not in said] == []
    many = refused(desk, HEADER + "".join(line(str(i), digits=9) for i in range(50)))
    assert "50 faults" in many and "and 30 more" in many


@pytest.mark.parametrize("text", ["", HEADER, "serial,secret\n", line(), HEADER + "\0\n"])
def test_csv_without_header_or_tokens_is_refused(desk, text):
    refused(desk, text, "--format", "csv")


def test_import_usage(desk):
    path = write(desk, HEADER + line())
    desk.ctl("token", "import", code=2)
    desk.ctl("token", "import", desk.dir + "/none", code=2)
    desk.ctl("token", "import", path, "--format", "xml", code=2)
    desk.ctl("token", "import", path, "--key-file", path, "--password-file", path, code=2)
    desk.ctl("token", "import", path, "--key-file", path, code=2)
    assert desk.json("token", "import", path) == {"imported": 1}


def test_import_is_all_or_nothing_when_a_serial_is_there_already(desk):
    desk.ctl("token", "import", write(desk, HEADER + line("B500")))
    rows = "".join(line("B%d" % i) for i in range(1000))
    desk.ctl("token", "import", write(desk, HEADER + rows), code=1)
    assert stock(desk) == ["B500"]
    # Nothing of the refused batch is in the way of a right one.
    rows = "".join(line("B%d" % i) for i in range(1000) if i != 500)
    assert desk.ctl("token", "import", write(desk, HEADER + rows)).stdout == \
        "999 tokens imported\n"
    assert len(stock(desk)) == 1000


def test_import_shows_a_progress_bar_on_a_terminal(desk):
    rows = "".join(line("C%d" % i) for i in range(1000))
    child = desk.terminal("magotpctl", "token", "import", write(desk, HEADER + rows))
    out = finish(child)
    assert re.search(r"\[#+ *\] \d+ of 1000", out)
    assert "1000 tokens imported" in out


def test_import_interrupted_leaves_nothing(desk):
    rows = "".join(line("D%d" % i) for i in range(60000))
    child = desk.terminal("magotpctl", "token", "import", write(desk, HEADER + rows))
    child.expect("of 60000")
    child.sendintr()
    assert "Nothing was imported" in finish(child, 130)
    assert stock(desk) == []


# ---- PSKC ----

def csv2pskc(desk, *args, rows=None):
    """A file by pskc-utils: another implementation of RFC 6030."""
    rows = rows or ["1,E1,%s,7,%s,6" % (SEED.hex(), HOTP)]
    path = write(desk, "id,serial,secret,counter,algorithm,response_length\n" + "\n".join(rows)
                 + "\n", "in.csv")
    out = desk.dir + "/out.pskc"
    subprocess.run(["csv2pskc", "-e", "hex", "-x", "response_encoding=DECIMAL", *args, path,
                    "-o", out], check=True, capture_output=True)
    return out


def test_H1_pskc_plain_of_another_writer_is_imported_and_logs_in(desk):
    path = csv2pskc(desk)
    subprocess.run(["pskctool", "--strict", "-i", path], check=True, capture_output=True)
    assert desk.ctl("token", "import", path).stdout == "1 token imported\n"
    desk.person("games")
    desk.own("games", "activate", desk.key("hardware"))
    desk.own("games", "token", "add", "E1", hotp(7), hotp(8))


def test_H1_pskc_encrypted_by_a_password(desk):
    path = csv2pskc(desk, "-p", "open sesame")
    word = write(desk, "open sesame\n", "word")
    assert "password-file" in refused(desk, open(path).read())
    assert "key or password" in refused(desk, open(path).read(), "--password-file",
                                        write(desk, "wrong\n", "wrong"))
    desk.ctl("token", "import", path, "--password-file", word)
    assert stock(desk) == ["E1"]


def test_H1_pskc_encrypted_by_a_key(desk):
    key = "00112233445566778899aabbccddeeff"
    path = csv2pskc(desk, "-s", key)
    desk.ctl("token", "import", path, "--key-file", write(desk, key + "\n", "key"))
    assert stock(desk) == ["E1"]


def test_H1_the_examples_of_rfc_6030(desk):
    key = write(desk, bytes.fromhex("12345678901234567890123456789012"), "key")
    word = write(desk, "qwerty", "word")
    said = refused(desk, example("figure7.xml"), "--password-file", word)
    assert "Key 123456: its counter is missing" in said
    assert "Key 12345678: " in refused(desk, example("figure2.xml"))
    counted = example("figure7.xml").replace(
        "</pskc:Secret>",
        "</pskc:Secret><pskc:Counter><pskc:PlainValue>3</pskc:PlainValue></pskc:Counter>")
    counted = counted.replace("987654321", "987654322")
    desk.ctl("token", "import", write(desk, counted), "--password-file", word)
    desk.ctl("token", "import", os.path.join(HERE, "pskc", "figure6.xml"), "--key-file", key)
    assert stock(desk) == ["987654321", "987654322"]
    for user, serial, at in (("games", "987654321", 0), ("news", "987654322", 3)):
        desk.person(user)
        desk.own(user, "activate", desk.key("hardware"))
        desk.own(user, "token", "add", serial, hotp(at, 8), hotp(at + 1, 8))


LAUGHS = "<!DOCTYPE lolz [<!ENTITY a \"ha\">" + "".join(
    '<!ENTITY %s "%s">' % (chr(98 + i), "&%s;" % chr(97 + i) * 10) for i in range(9)) + "]>"


@pytest.mark.parametrize("text,what", [
    (container(package(serial="&j;"), head=LAUGHS), "DOCTYPE"),
    (container(package(), head="<!DOCTYPE KeyContainer SYSTEM 'x.dtd'>"), "DOCTYPE"),
    (container(package(serial="&x;"),
               head="<!DOCTYPE k [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"), "DOCTYPE"),
    (container(package(serial="&x;")), "entity"),
    (container("<a>" * 100 + "</a>" * 100), "nested too deep"),
    (container(package())[:-30], "in the middle|well-formed"),
    (container(package()).encode("utf-16"), "UTF-8"),
    (container(package()).replace("UTF-8", "UTF-7"), "encoding"),
    (container(), "no key"),
    (container(package(), version=""), "Version"),
    (container(package(), version='Version="2.0"'), "Version"),
    ("<other/>", "no PSKC file"),
    (container(package(counter=None)), "Key K1: its counter is missing"),
    (container(package(secret=b"short")), "Key K1: its secret does not have"),
    (container(package(secret=b"x" * 65)), "Key K1: its secret does not have"),
    (container(package(), package(key="K2")), "Key K[12]: its serial number is there twice"),
    (container(package(serial="")), "Key K1: its serial number is missing"),
    (container(package(digits="4")), "Key K1: its codes do not have"),
    (container(package(algorithm="urn:ietf:params:xml:ns:keyprov:pskc:ocra-1")), "Key K1: "),
    (container(package(policy="<Policy><PINPolicy MinLength='4'/></Policy>")),
     "Key K1: its policy has PINPolicy"),
    (container(package(policy="<Policy><KeyUsage>Encrypt</KeyUsage></Policy>")),
     "Key K1: its policy has KeyUsage"),
    (container(package(policy="<Policy><x:Odd xmlns:x='urn:x'/></Policy>")),
     "Key K1: its policy has Odd"),
    (container(package(algorithm=TOTP, counter=None, more="<TimeInterval><PlainValue>45"
                       "</PlainValue></TimeInterval>")), "Key K1: its interval"),
])
def test_threat_36_what_a_pskc_file_may_not_hold(desk, text, what):
    started = time.monotonic()
    assert re.search(what, refused(desk, text, "--format", "pskc"))
    assert time.monotonic() - started < 10


def test_threat_36_changed_files_are_found_by_their_mac(desk):
    key = write(desk, "12345678901234567890123456789012", "key")
    good = example("figure6.xml")
    for old, new in (("Su+NvtQf", "Su+NvtQe"), ("AAECAwQFBgcI", "AAECAwQFBgcJ"),
                     ("e7cIHItlB3W", "e7cIHItlB3W")):
        if old in good and old != new:
            said = refused(desk, good.replace(old, new), "--key-file", key)
            assert "Key 12345678: the MAC is wrong" in said
    no_mac = re.sub("<ValueMAC>.*</ValueMAC>", "", good)
    assert "has no MAC" in refused(desk, no_mac, "--key-file", key)
    no_method = re.sub("(?s)<MACMethod.*</MACMethod>", "", good)
    assert "without a MAC" in refused(desk, no_method, "--key-file", key)
    rounds = example("figure7.xml").replace("1000<", "2000001<")
    assert "rounds" in refused(desk, rounds, "--password-file", write(desk, "qwerty", "word"))


def test_threat_36_a_file_is_64_MiB_at_most(desk):
    path = desk.dir + "/big.pskc"
    with open(path, "wb") as f:
        f.write(b"<?xml version='1.0'?>\n")
        f.truncate((64 << 20) + 1)
    p = desk.ctl("token", "import", path, code=1)
    assert "64 MiB" in p.stderr
    assert stock(desk) == []


@pytest.mark.skipif(bool(escapes.lacking(build_dir())), reason=escapes.lacking(build_dir()))
def test_threat_36_a_parser_that_was_taken_over_does_not_get_out(desk):
    """The escape suite, behind the fence of the real program."""
    with escapes.Outside() as outside:
        subprocess.run([desk.program("pskc-import-escape"), "--plain", outside.spec("pskc")],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        escapes.check(outside.ended(), escapes.PSKC)
        assert outside.untouched()


def test_threat_36_the_parser_can_open_start_and_keep_nothing(desk):
    """Its limits and filter are on before it reads the first byte."""
    r, w = os.pipe()
    p = subprocess.Popen([desk.bin + "/pskc-import", "--plain"], stdin=r, stdout=subprocess.PIPE)
    os.close(r)
    try:
        for _ in range(200):
            with open("/proc/%d/status" % p.pid) as f:
                status = f.read()
            if "Seccomp:\t2" in status:
                break
            time.sleep(0.05)
        with open("/proc/%d/limits" % p.pid) as f:
            limits = f.read()
        assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
        assert re.search(r"Max file size +0 +0", limits)
        assert re.search(r"Max open files +0 +0", limits)
        os.write(w, container(package()).encode())
        os.close(w)
        w = -1
        assert b"100001,hotp," in p.stdout.read()
        assert p.wait(10) == 0
    finally:
        if w >= 0:
            os.close(w)
        p.kill()
        p.wait()
        p.stdout.close()


# ---- a token's life ----

def test_H2_a_token_is_activated_with_two_consecutive_codes(desk):
    holder(desk)
    p = desk.own("games", "token", "add", "100001", hotp(0), hotp(2), code=1)
    assert desk.error(p) == "codes-wrong"
    p = desk.own("games", "token", "add", "100001", "-", "-", stdin=hotp(0) + "\n" + hotp(1) + "\n")
    assert p.stdout.startswith("Token 100001 is active until ")
    row = desk.own("games", "token", "list").stdout.split("\t")
    assert (row[0], row[2], row[4]) == ("t1", "100001", "active")
    assert "token 0001" in desk.own("games", "status").stdout
    (shown,) = desk.json("token", "list", "games")
    assert (shown["id"], shown["state"]) == ("t1", "active")
    assert desk.json("token", "show", "100001")["account"] == "games"


def test_H2_add_asks_for_what_is_missing(desk):
    holder(desk)
    desk.own("games", "token", "add", code=2)
    desk.own("games", "token", "add", "100001", hotp(0), code=2)
    child = desk.terminal("magotp", "token", "add", user="games")
    child.expect("Serial number")
    child.sendline("100001")
    child.expect("shows now: ")
    child.sendline(hotp(0))
    child.expect("Next code: ")
    child.sendline(hotp(5))
    child.expect("do not match, 4 tries left")
    child.expect("shows now: ")
    child.sendline(hotp(0))
    child.expect("Next code: ")
    child.sendline(hotp(1))
    child.expect("is active until")
    finish(child)


def test_H7_suspended_by_the_user_taken_up_with_two_codes(desk):
    with_token(desk)
    # The token shows its code itself.
    assert "Sends     10 of 10 left" in desk.ctl("explain", "sshd", "games", "--pam-dir", "/").stdout
    p = desk.own("games", "token", "suspend", "t1")
    assert p.stdout == "t1 is suspended\n"
    said = desk.ctl("explain", "sshd", "games", "--pam-dir", "/").stdout
    assert "Not       t1 token 0001: token-suspended, resync offered\n" in said
    assert "taken up again until" in p.stderr
    p = desk.own("games", "token", "suspend", "t1", code=1)
    assert "Not possible: it is suspended." in p.stderr and desk.error(p) == "not-allowed"
    assert desk.error(desk.own("games", "token", "resume", "t1", hotp(3), hotp(5), code=1)) \
        == "codes-wrong"
    desk.own("games", "token", "resume", "t1", hotp(3), hotp(4))
    assert desk.json("token", "list", "games")[0]["state"] == "active"


def test_L12_status_says_how_to_put_a_token_right(desk):
    with_token(desk)
    desk.own("games", "token", "suspend", "t1")
    assert desk.own("games").stdout.endswith(
        "Token 0001 is suspended. To take it up again: magotp token resume\n")
    (hint,) = desk_hints(desk)
    assert (hint["id"], hint["command"]) == ("token-suspended", "magotp token resume")
    desk.own("games", "token", "resume", "t1", hotp(3), hotp(4))
    assert desk_hints(desk) == []


def test_who_has_no_such_token_is_not_asked_to_look_at_its_back(desk):
    desk.with_phone("games")
    for args in (("token", "suspend"), ("token", "suspend", "t1"), ("mobile", "suspend")):
        p = desk.own("games", *args, code=1)
        assert "no such token or app" in p.stderr and "magotp token list" in p.stderr
    p = desk.ctl("unlock", "games", "m1", code=1)
    assert "magotpctl token list USER" in p.stderr
    assert "Look at its back" in desk.own("games", "token", "suspend", "777777", code=1).stderr


def test_H7_suspended_by_an_administrator_only_they_can_take_it_up(desk):
    with_token(desk)
    desk.ctl("suspend", "games", "t1", "--reason", "found in a taxi")
    p = desk.own("games", "token", "resume", "t1", hotp(3), hotp(4), code=1)
    assert desk.error(p) == "token-suspended-by-admin"
    desk.ctl("resume", "games", "t1")
    assert desk.json("token", "show", "100001")["state"] == "active"


def test_H8_revoking_is_asked_first_and_no_changes_nothing(desk):
    with_token(desk)
    child = desk.terminal("magotpctl", "revoke", "games", "t1")
    child.expect("y/N")
    child.sendline("")
    assert "Nothing was changed" in finish(child, 1)
    assert desk.json("token", "show", "100001")["state"] == "active"
    desk.own("games", "token", "revoke", "t1", code=2)  # in a pipe: --yes
    desk.own("games", "token", "revoke", "t1", "--yes", code=4)  # H8 rests on the second step
    p = desk.ctl("revoke", "games", "t1", "--reason", "stolen")
    assert p.stdout == "t1 is revoked\n"
    assert desk.json("token", "show", "100001")["state"] == "revoked"


def test_ids_that_are_none_are_refused(desk):
    desk.person("games")
    for args in (("token", "suspend", "t1"), ("token", "resync", "t1", "123456", "234567")):
        desk.own("games", *args, code=1)
    desk.ctl("token", "show", "nothing", code=1)
    desk.ctl("unlock", "games", "t1", code=1)


def test_an_assigned_token_is_kept_for_its_user(desk):
    holder(desk)
    desk.person("news")
    desk.own("news", "activate", desk.key("hardware"))
    assert "is kept for games" in desk.ctl("token", "assign", "100001", "games").stdout
    desk.own("news", "token", "add", "100001", hotp(0), hotp(1), code=1)
    desk.own("games", "token", "add", "100001", hotp(0), hotp(1))


# ---- apps and codes ----

def test_M1_an_app_is_bound_by_its_address_and_one_code(desk):
    desk.person("games")
    desk.own("games", "activate", desk.key("mobile"))
    p = desk.own("games", "mobile", "add", "--uri")
    uri = urllib.parse.urlparse(p.stdout.strip())
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert "magotp mobile confirm" in p.stderr
    secret = base64.b32decode(urllib.parse.parse_qs(uri.query)["secret"][0] + "=" * 0)
    right = totp(secret)
    wrong = "%06d" % ((int(right) + 1) % 10 ** 6)
    assert desk.error(desk.own("games", "mobile", "confirm", wrong, code=1)) == "code-wrong"
    p = desk.own("games", "mobile", "confirm", "-", stdin=totp(secret) + "\n")
    assert p.stdout.startswith("The app is active until ")
    assert desk.own("games", "token", "list").stdout.startswith("m1\t")
    assert "m1" in desk.own("games", "status").stdout


def modules(screen):
    """The drawing back as rows of booleans (True: dark), colours taken away."""
    rows = []
    for row in re.sub("\x1b\\[[0-9;]*m", "", screen).splitlines():
        rows.append([c in "\u2580\u2588" for c in row])
        rows.append([c in "\u2584\u2588" for c in row])
    return rows


def test_M1_a_window_too_narrow_for_the_qr_code_gets_the_address(desk):
    desk.person("games")
    desk.own("games", "activate", desk.key("mobile"))
    child = desk.terminal("magotp", "mobile", "add", user="games", columns=40)
    child.expect("otpauth://totp/")
    child.expect("wider window")
    assert "##" not in child.before and "\u2588" not in child.before
    child.expect("shows now: ")
    child.sendintr()
    finish(child, 130)


def test_M1_the_qr_code_is_drawn_with_its_quiet_zone_and_asks_for_the_code(desk):
    desk.person("games")
    desk.own("games", "activate", desk.key("mobile"))
    env = dict(TERM="xterm", LC_ALL="C.UTF-8", PATH="/usr/bin:/bin")
    child = pexpect.spawn("/bin/sh", ["-c", "exec setpriv --reuid games --regid games "
                                      "--clear-groups \"$0\" \"$@\"", desk.bin + "/magotp",
                                      "--config", desk.conf_file, "mobile", "add"],
                          env=env, encoding="utf-8", timeout=15, dimensions=(60, 120), echo=False)
    child.expect("Scan this")
    screen = child.before
    assert screen.count("\x1b[30;107m") == screen.count("\x1b[0m") > 20
    m = modules(screen)
    assert not any(any(row) for row in m[:4])
    finder = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]
    size = len(m[0]) - 8
    for y, x in ((4, 4), (4, 4 + size - 7), (4 + size - 7, 4)):
        assert ["".join("01"[v] for v in m[y + i][x:x + 7]) for i in range(7)] == finder
    child.expect("app shows now: ")
    child.sendline("000000")
    child.expect("Wrong code|shows now: ")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_recovery_codes_need_a_second_step_and_break_glass_reason_and_date(desk):
    with_token(desk)
    desk.own("games", "recovery-codes", code=4)
    desk.ctl("break-glass", "games", code=2)
    desk.ctl("break-glass", "games", "--reason", "setup", code=2)
    desk.ctl("break-glass", "games", "--reason", "setup", "--until", "someday", code=2)
    p = desk.ctl("break-glass", "games", "--reason", "setup", "--until", "30d")
    assert re.fullmatch(r"(\w{4}-){3}\w{4}\n", p.stdout)
    assert "shown this once" in p.stderr


def test_K4_sponsored_and_renewed(desk):
    desk.person("games")
    desk.ctl("sponsor", "games", code=2)
    desk.ctl("sponsor", "games", "--product", "hardware", "--until", "soon", code=2)
    p = desk.ctl("sponsor", "games", "--product", "hardware")
    assert p.stdout.startswith("games is sponsored: hardware, until ")
    said = re.search(r"\nKey ((?:\w{5}-){5}\w{5}) \(not mailed: hand it on\)\n$", p.stdout)
    assert desk.own("games", "activate", "-", stdin=said[1] + "\n").returncode == 0
    for product in ("phone-us", "phone-intl", "hardware", "mobile", "mobile-hardware"):
        assert desk.key(product)
    assert "mobile-hardware" in desk.ctl("license", "issue", "--help").stdout


def test_the_sweep_is_shown_or_confirmed_not_both(desk):
    desk.ctl("sweep", "--dry-run", "--confirm", code=2)
    assert "Nothing is due" in desk.ctl("sweep", "--dry-run").stderr
    assert desk.json("sweep", "--dry-run") == []
    assert "0 done." in desk.ctl("sweep").stderr


def test_help_of_the_new_verbs_has_examples(desk):
    for args in (("token", "import"), ("token", "list"), ("break-glass",), ("sweep",),
                 ("sponsor",), ("revoke",)):
        out = desk.ctl(*args, "--help").stdout
        assert "  magotpctl " + " ".join(args) in out
    for args in (("token", "add"), ("mobile", "add"), ("recovery-codes",)):
        assert "  magotp " + " ".join(args) in desk.own("games", *args, "--help").stdout
