"""Owners of tokens who log in with code after code, over one broker and another, whatever
dies meanwhile; and what they know afterwards."""

import threading
import time

import oath

CODES = 4000


class Client(threading.Thread):
    """One owner of a token, who logs in with code after code, here and there."""

    def __init__(self, houses, name):
        super().__init__(daemon=True)
        self.houses, self.name_ = houses, name
        seed = oath.seed("P-" + name)
        houses[0].account(name)
        oath.stock(houses[0], seed)
        self.codes = [oath.hotp(seed["secret"], n) for n in range(CODES)]
        houses[0].ok("token_add", {"user": name, "serial": seed["serial"],
                                   "code1": self.codes[0], "code2": self.codes[1]})
        self.at = 2  # the next code
        self.accepted = []  # (number of the code, when)
        self.unsaid = []  # used up without a "yes": the answer was lost
        self.errors, self.odd, self.stop = 0, [], False

    def verify(self, house, number):
        """One request, repeated until it is decided or its login is none any more."""
        login = house.login(self.name_)
        if login.result.error:
            return None
        login.seq += 1
        while not self.stop:
            result, _ = login.verify(self.codes[number], ref=4, seq=login.seq)
            if not result.error:
                return result.verdict
            self.errors += 1
            if result.error == "STALE":
                return None
            time.sleep(0.05)
        return None

    def run(self):
        turn = 0
        while not self.stop and self.at < CODES:
            turn += 1
            try:
                verdict = self.verify(self.houses[turn % 2], self.at)
            except OSError:
                verdict = None
            if verdict is None:
                self.errors += 1
                time.sleep(0.05)
            elif verdict == "ok":
                self.accepted.append((self.at, time.monotonic()))
                self.at += 1
            elif verdict == "code-used":
                self.unsaid.append(self.at)
                self.at += 1
            else:
                self.odd.append((self.at, verdict))
                time.sleep(0.2)


def twice(clients):
    """Codes that got two "yes"."""
    return sum(len(c.accepted) - len({n for n, _ in c.accepted}) for c in clients)


def replayed(clients):
    """Every accepted code once more: those that got another "yes"."""
    again = []
    for c in clients:
        for number, _ in c.accepted:
            login = c.houses[number % len(c.houses)].login(c.name_)
            if login.verify(c.codes[number], ref=4)[0].verdict == "ok":
                again.append((c.name_, number))
    return again
