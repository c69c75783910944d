"""Owners of tokens and PAM services, for the parts of make bench that log in with them."""

import os
import sqlite3

KEY = b"12345678901234567890"


def token_owners(house, n, prefix="tok"):
    import oath
    codes = [oath.hotp(KEY, i) for i in range(2)]
    names = ["%s%d" % (prefix, i) for i in range(n)]
    for start in range(0, n, 32):
        oath.stock(house, *[oath.seed("S-" + name, secret=KEY)
                            for name in names[start:start + 32]])
    for name in names:
        house.account(name)
        house.ok("token_add", {"user": name, "serial": "S-" + name, "code1": codes[0],
                               "code2": codes[1]})


def write(pam, name, text):
    with open(os.path.join(pam, name), "w") as f:
        f.write(text)


def write_service(pam, name, build, house):
    write(pam, name, "auth requisite pam_permit.so\nauth required %s socket=%s\n"
          % (os.path.join(build, ".libs", "pam_magotp.so"), house.socket))


# ---- with many tokens ----

FILL = """
INSERT INTO account SELECT {account} FROM (
 WITH RECURSIVE n (i) AS (SELECT {begin} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})
 SELECT (abs(random()) | 1) & 9223372036854775807 AS new_id, i FROM n), account AS one
 WHERE one.name = 'tok0';
INSERT INTO token SELECT {token} FROM account AS a, token AS one
 WHERE one.serial = '{serial}' AND a.name GLOB 'fill*'
 AND CAST(substr(a.name, 5) AS INTEGER) BETWEEN {begin} AND {end} - 1;
"""


def columns(db, table, other):
    """All columns of the one that is there, but for these."""
    names = [r[1] for r in db.execute("PRAGMA table_info(%s)" % table)]
    return ", ".join(other.get(n, "one." + n) for n in names)


def fill(house, begin, end, serial="S-tok0"):
    """Rows like those of tok0, who owns this one, whose tokens nobody has; the broker stands
    still. How many tokens there are."""
    db = sqlite3.connect(os.path.join(house.dir, "db", "otpcore.db"))
    db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;")
    db.executescript("BEGIN; " + FILL.format(
        begin=begin, end=end, serial=serial,
        account=columns(db, "account", {"id": "new_id", "name": "'fill' || i", "uid": "4294967295"}),
        token=columns(db, "token", {"id": "(abs(random()) | 1)", "account": "a.id",
                                    "serial": "'F' || a.name"})) + "COMMIT;")
    n = db.execute("SELECT count(*) FROM token").fetchone()[0]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return n
