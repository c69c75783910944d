"""Login scenarios as text files (scenarios/*.txt): options, config and accounts,
then what the person reads and types, and how it ends.

    # A title, and why.
    conf    [service *] skip = yes    into magotp.conf
    account alice [de]                an account; `phone alice [voice] [new]` gives
                                      it one: +12025550100, then ...0101; unless
                                      it is new, a code came there before
                                      ({app-code}: of the app whose address was shown)
    key     phone-us                  a licence key, {key}; a second one {key 2}
    token   A100                      a token in the inventory; {next-code} it shows
    stack   auth required ...         a line of the PAM service; without any: a
                                      password (correct horse) and pam_magotp
    service sshd                      default; `user`, `rhost` likewise
    password-service NAME LINE        another service's line

    login [noconv]                    pam_start
    putenv NAME=VALUE
    auth | account | setcred | open | close; silent: open with PAM_SILENT
      <  a prompt's lines (echo on), <* (echo off); `...`: any prompt
      >  the answer; {code} the newest message's, {first-code} the first one's
         since the start, {wrong} none of them, {junk} what sshd answers for
         somebody it does not let in, {mistyped} the key with a wrong third group;
         nothing: Enter. Before that, {+121} lets
         seconds pass, {later} two, {broker kill} or {smsd start} happens
      !  lines of an error message, -  of an information
      =  the result
    env NAME VALUE                    of the PAM environment; - : not there, * : any
    become USER                       PAM_USER changes
    person USER                       who logs in next
    remember NAME                     {remembered} in a later putenv
    messages N                        sent since the start
    broker stop | start | kill        kill: -9, and started again
    broker freeze | thaw              silent; speaks again
    time +SECONDS                     pass
    smsd stop | start

In texts {host}, {seconds}, {time} ("74 seconds", "2 minutes") and {date} stand for
what they are at the time; {refused} is any refusal. A blank at the end of a
prompt is not compared here (test_texts.c does that).
"""

import base64
import os
import re
import signal
import socket
import time

import house as houses
import oath
from talk import Pam

PASSWORD = "correct horse"
JUNK = "\b\n\r\x7fINCORRECT"
TIME = (r"(?:\d+ (?:(?:second|minute|hour|seconde|minute|heure|segundo|minuto|hora)s?|"
        r"(?:Sekunde|Minute|Stunde)n?)|\d+(?:秒|分|時間))")
PLACES = {"host": re.escape(socket.gethostname()), "seconds": TIME, "time": TIME,
          "date": r"\d{4}-\d\d-\d\d \d\d:\d\d"}
OPERATIONS = {"auth": "authenticate", "account": "account", "setcred": "setcred",
              "open": "open", "silent": "silent", "close": "close"}
TWO_LINES = ["auth requisite pam_matrix.so passdb={passdb}", "auth required pam_magotp.so",
             "account required pam_magotp.so", "session required pam_magotp.so"]


class Scenario:
    def __init__(self, path, directory):
        self.path, self.directory = path, str(directory)
        with open(path, encoding="utf-8") as f:
            self.lines = [(n, line.rstrip("\n")) for n, line in enumerate(f, 1)]
        self.conf, self.stack, self.services = {}, [], {}
        self.user, self.service, self.rhost = "alice", "sshd", "203.0.113.7"
        self.people, self.steps, self.remembered = [], [], ""
        self.keys, self.seed, self.counter = [], None, 0
        self._read()

    def _fail(self, n, text):
        raise AssertionError("%s:%d: %s" % (os.path.basename(self.path), n, text))

    # ---- reading ----

    def _read(self):
        for n, line in self.lines:
            if not line.strip() or line.startswith("#"):
                continue
            if line[0] == " ":
                self._turn(n, line.strip())
                continue
            word, _, rest = line.partition(" ")
            self._head(n, word, rest.strip())

    def _turn(self, n, line):
        kinds = {"<": "on", "<*": "off", "!": "error", "-": "info", ">": ">", "=": "="}
        mark, _, text = line.partition(" ")
        if mark not in kinds or not self.steps or self.steps[-1][1] not in OPERATIONS:
            self._fail(n, "what is this? " + line)
        turns, kind = self.steps[-1][3], kinds[mark]
        if turns and turns[-1][1] == kind and kind not in (">", "="):
            turns[-1][2] += "\n" + text
        else:
            turns.append([n, kind, text])

    def _head(self, n, word, rest):
        if word == "conf":
            section, key, value = re.match(r"\[(.*)\] *(\S+) *= *(.*)", rest).groups()
            self.conf.setdefault(section, {})[key] = value
        elif word in ("account", "phone", "key", "token") and rest:
            self.people.append((word, *rest.split()))
        elif word == "stack":
            self.stack.append(rest)
        elif word == "password-service":
            name, _, line = rest.partition(" ")
            self.services.setdefault(name, []).append(line.strip())
        elif word in ("user", "service", "rhost"):
            setattr(self, word, rest)
        else:
            self.steps.append((n, word, rest, []))

    # ---- running ----

    def run(self):
        with houses.House(self.directory, **self.conf) as self.house:
            if any(re.search(r"\{\+|\{later\}|^time", line) for _, line in self.lines):
                self.house.time_travel(0)
            self.house.start()
            for self.made, person in enumerate(self.people):
                self._make(*person)
            self.sent_before = len(self.house.messages())
            with Pam(self.directory, self.house.build, self._services()) as self.pam:
                for n, word, rest, turns in self.steps:
                    getattr(self, "_" + word.replace("-", "_"), self._unknown)(n, rest, turns, word)

    def _make(self, what, user, *words):
        if what == "account":
            self.house.account(user, **({"language": words[0]} if words else {}))
            return
        if what == "key":
            self.keys.append(self.house.ok("licence_issue", {"product": user, "count": 1})
                             ["keys"][0]["key"])
            return
        if what == "token":
            self.seed = oath.seed(user)
            oath.stock(self.house, self.seed)
            if words:
                self.house.ok("token_add", {"user": words[0], "serial": user,
                    **{"code%d" % (i + 1): oath.hotp(self.seed["secret"], i) for i in (0, 1)}})
            return
        number = self.house.phone(user, channel="voice" if "voice" in words else "sms")
        if "new" not in words:
            ref = sum(p[:2] == ("phone", user) for p in self.people[:self.made + 1])
            login = self.house.login(user, "elsewhere")
            login.send(ref)
            assert login.verify(self.house.code(number), ref)[0].verdict == "ok"

    def _services(self):
        passdb = os.path.join(self.directory, "passdb")
        with open(passdb, "w") as f:
            for name in {self.user, *(p[1] for p in self.people)}:
                f.writelines("%s:%s:%s\n" % (name, PASSWORD, s)
                             for s in {self.service, *self.services})
        made = {}
        for name, lines in {self.service: self.stack or TWO_LINES, **self.services}.items():
            text = "\n".join(lines) + "\n"
            text = text.replace("{passdb}", passdb)
            made[name] = re.sub(r"pam_magotp\.so",
                                "pam_magotp.so socket=%s" % self.house.socket, text)
        return made

    def _unknown(self, n, rest, turns, word):
        self._fail(n, "unknown word: " + word)

    def _admin(self, n, rest, turns, word):
        """admin MESSAGE [FIELD=VALUE]...: what an administrator does to the account."""
        message, *fields = rest.split()
        self.house.ok(message, {"user": self.user, **dict(f.split("=") for f in fields)})

    def _login(self, n, rest, turns, word):
        self.pam.start(self.service, self.user, conv=rest != "noconv", rhost=self.rhost,
                       tty="ssh")

    def _end(self, n, rest, turns, word):
        self.pam.end()

    def _putenv(self, n, rest, turns, word):
        self.pam.ask("putenv " + rest.replace("{remembered}", self.remembered))

    def _person(self, n, rest, turns, word):
        self.user = rest

    def _become(self, n, rest, turns, word):
        self.pam.ask("item user " + rest)

    def _remember(self, n, rest, turns, word):
        self.remembered = self.pam.env(rest)

    def _answer(self, text):
        for event in re.findall(r"\{(\+\d+|later|(?:broker|smsd) \w+)\}", text):
            if event[0] == "+":
                self.house.time_travel(int(event))
            elif event == "later":
                self.house.time_travel(2)
            else:
                word, _, rest = event.partition(" ")
                getattr(self, "_" + word)(0, rest, [], word)
            text = text.replace("{%s}" % event, "")
        text = self._key(text)
        text = text.replace("{junk}", JUNK).replace("{password}", PASSWORD)
        if "{code}" in text:
            text = text.replace("{code}", self.house.code())
        if "{first-code}" in text:
            text = text.replace("{first-code}", self._first_code())
        if "{wrong}" in text:
            text = text.replace("{wrong}", houses.wrong(self.house.code()))
        return text

    def _key(self, text):
        """What stands for a key: {key}, {key 2}, {mistyped}."""
        for i, key in enumerate(self.keys, 1):
            text = text.replace("{key}" if i == 1 else "{key %d}" % i, key)
        if "{mistyped}" in text:
            groups = self.keys[0].split("-")
            groups[2] = groups[2][:4] + ("0" if groups[2][4] != "0" else "1")
            text = text.replace("{mistyped}", "-".join(groups))
        if "{app-code}" in text:
            shown = re.findall(r"otpauth://\S*secret=([A-Z2-7]+)", "\n".join(t for _, t in self.pam.seen))
            text = text.replace("{app-code}", oath.totp(base64.b32decode(shown[-1]), time.time()))
        if "{next-code}" in text:
            text = text.replace("{next-code}", oath.hotp(self.seed["secret"], self.counter))
            self.counter += 1
        return text

    def _first_code(self):
        return re.search(r"\d{6}", self.house.messages()[self.sent_before]["text"])[0]

    def _same(self, want, text):
        text = "\n".join(line.rstrip() for line in text.split("\n"))
        pattern = re.escape(want)
        for place, part in PLACES.items():
            pattern = pattern.replace(re.escape("{%s}" % place), part)
        pattern = pattern.replace(re.escape("..."), r"[\s\S]*")
        return re.fullmatch(pattern, text) is not None

    def _operate(self, n, rest, turns, word):
        answers = [lambda t=text: self._answer(t) for _, kind, text in turns if kind == ">"]
        wanted = [t for t in turns if t[1] not in (">", "=")]
        result = [t for t in turns if t[1] == "="]
        code, seen = self.pam.do(OPERATIONS[word], answers)
        for i, (kind, text) in enumerate(seen):
            if i >= len(wanted):
                self._fail(n, "one more than expected: %s: %r\nbroker:\n%s" % (
                    kind, text, self.house.log()))
            at, want_kind, want = wanted[i]
            if kind != want_kind or not self._same(want, text):
                self._fail(at, "expected %s %r\n     saw %s %r" % (want_kind, want, kind, text))
        if len(seen) < len(wanted):
            self._fail(wanted[len(seen)][0], "this was never shown: " + wanted[len(seen)][2])
        want = result[0][2] if result else ""
        if want != code and not (want == "{refused}" and code not in ("SUCCESS", "IGNORE")):
            self._fail(n, "it ended with %s" % code)

    _auth = _account = _setcred = _open = _close = _silent = _operate

    def _env(self, n, rest, turns, word):
        name, _, want = rest.partition(" ")
        value = self.pam.env(name)
        if (value if value is not None else "-") != want and not (want == "*" and value):
            self._fail(n, "%s is %r" % (name, value))

    def _messages(self, n, rest, turns, word):
        sent = len(self.house.messages()) - self.sent_before
        if sent != int(rest):
            self._fail(n, "%d messages were sent" % sent)

    def _broker(self, n, rest, turns, word):
        if rest in ("stop", "kill"):
            self.house.stop("broker", signal.SIGKILL if rest == "kill" else signal.SIGTERM)
        if rest in ("start", "kill"):
            self.house.start_broker()
        if rest in ("freeze", "thaw"):
            self.house.processes["broker"].send_signal(
                signal.SIGSTOP if rest == "freeze" else signal.SIGCONT)

    def _time(self, n, rest, turns, word):
        self.house.time_travel(int(rest))

    def _smsd(self, n, rest, turns, word):
        if rest == "stop":
            self.house.stop("smsd")
        else:
            self.house.start_smsd()
