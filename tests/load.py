"""Owners of tokens who log in with code after code, over one broker and another, whatever
dies meanwhile; and what they know afterwards."""

import threading
import time

import oath

CODES = 4000


def decided(house, user, code, stopped):
    """One request, repeated until it is decided or its login is none any more: (verdict or
    None, errors on the way)."""
    login, errors = house.login(user), 0
    if login.result.error:
        return None, 1
    login.seq += 1
    while not stopped():
        result, _ = login.verify(code, ref=4, seq=login.seq)
        if not result.error:
            return result.verdict, errors
        errors += 1
        if result.error == "STALE":
            break
        time.sleep(0.05)
    return None, errors


class Guesser(threading.Thread):
    """Types wrong codes of one account after the other, four of each, over one broker and
    another."""

    def __init__(self, houses, name, accounts):
        super().__init__(daemon=True)
        self.houses, self.stop = houses, False
        owners = [Client(houses, "%s-%d" % (name, i), codes=20) for i in range(accounts)]
        self.code = next("%06d" % n for n in range(1000000)
                         if all("%06d" % n not in o.codes for o in owners))
        self.told = {o.name_: 0 for o in owners}  # so many were judged, and said to be wrong

    def run(self):
        for name in self.told:
            for i in range(4):
                time.sleep(0.05)
                try:
                    verdict, _ = decided(self.houses[i % 2], name, self.code, lambda: self.stop)
                except OSError:
                    continue
                self.told[name] += verdict == "code-wrong"
                if self.stop:
                    return


class Client(threading.Thread):
    """One owner of a token, who logs in with code after code, here and there."""

    def __init__(self, houses, name, codes=CODES):
        super().__init__(daemon=True)
        self.houses, self.name_ = houses, name
        seed = oath.seed("P-" + name)
        houses[0].account(name)
        oath.stock(houses[0], seed)
        self.codes = [oath.hotp(seed["secret"], n) for n in range(codes)]
        houses[0].ok("token_add", {"user": name, "serial": seed["serial"],
                                   "code1": self.codes[0], "code2": self.codes[1]})
        self.at = 2  # the next code
        self.accepted = []  # (number of the code, when)
        self.unsaid = []  # used up without a "yes": the answer was lost
        self.errors, self.odd, self.stop = 0, [], False

    def verify(self, house, number):
        verdict, errors = decided(house, self.name_, self.codes[number], lambda: self.stop)
        self.errors += errors
        return verdict

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
