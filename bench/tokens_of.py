"""Owners of tokens and PAM services, for the parts of make bench that log in with them."""

import os

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
