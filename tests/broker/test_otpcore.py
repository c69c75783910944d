"""libotpcore.so.0 against a real broker, through its public functions only."""

import ctypes
import functools
import os

import pytest

import wirepy
from house import needs_root, wrong

ASK, PASSED, EPERM, EDOWN, ESTALE = 1, 2, -9, -14, -21


class Factor(ctypes.Structure):
    _fields_ = [("ref", ctypes.c_uint), ("kind", ctypes.c_char_p), ("state", ctypes.c_char_p),
                ("channel", ctypes.c_char_p), ("channels", ctypes.c_char_p),
                ("masked", ctypes.c_char_p), ("label", ctypes.c_char_p),
                ("is_default", ctypes.c_int)]


class Answer(ctypes.Structure):
    _fields_ = [("verdict", ctypes.c_char_p), ("detail", ctypes.c_char_p),
                ("seconds", ctypes.c_uint), ("tries_left", ctypes.c_uint),
                ("seconds_left", ctypes.c_uint), ("resend_after", ctypes.c_uint),
                ("delivery", ctypes.c_int), ("reused", ctypes.c_int),
                ("channel", ctypes.c_char_p), ("masked", ctypes.c_char_p),
                ("strength", ctypes.c_char_p), ("level", ctypes.c_uint)]


class Status(ctypes.Structure):
    _fields_ = [("recorded", ctypes.c_int), ("reason", ctypes.c_char_p),
                ("strength", ctypes.c_char_p)]


@functools.lru_cache
def library(build):
    for path in (os.path.join(build, ".libs", "libotpcore.so.0"),
                 "/usr/lib/libotpcore.so.0"):
        if os.path.exists(path):
            with open(path, "rb") as f:
                if b"__asan_init" in f.read():
                    pytest.skip("a sanitized library does not load into Python")
            lib = ctypes.CDLL(path)
            lib.otpcore_factor.restype = ctypes.POINTER(Factor)
            lib.otpcore_factor.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
            lib.otpcore_answer.restype = ctypes.POINTER(Answer)
            lib.otpcore_n_factors.restype = ctypes.c_size_t
            return lib
    pytest.skip("libotpcore is not built as a shared library")


class Login:
    """The C functions, one for one."""

    def __init__(self, house):
        self.lib = library(house.build)
        self.handle = ctypes.c_void_p()
        assert self.lib.otpcore_new(ctypes.byref(self.handle)) == 0
        assert self.lib.otpcore_set_socket(self.handle, house.socket.encode()) == 0

    def _yes(self, function, *args):
        yes = ctypes.c_int(-1)
        return getattr(self.lib, function)(self.handle, *args, ctypes.byref(yes)), yes.value

    def begin(self, user, service="door"):
        return self._yes("otpcore_begin", user.encode(), service.encode(), 1)

    def send(self, ref, channel=None):
        return self._yes("otpcore_send", ref, channel, 0)

    def verify(self, ref, code):
        return self._yes("otpcore_verify", ref, code.encode())

    def account(self):
        return self._yes("otpcore_account")

    def factor(self, index=0):
        return self.lib.otpcore_factor(self.handle, index).contents

    def answer(self):
        return self.lib.otpcore_answer(self.handle).contents

    def free(self):
        self.lib.otpcore_free(ctypes.byref(self.handle))
        assert self.handle.value is None


def test_a_login_without_pam(anna):
    number = anna.number_of["anna"]
    login = Login(anna)
    assert login.begin("anna") == (0, ASK)
    assert login.lib.otpcore_n_factors(login.handle) == 1
    factor = login.factor()
    assert (factor.kind, factor.masked, factor.is_default) == (b"phone", number[-4:].encode(), 1)
    assert login.account() == (0, 0)  # nothing proven yet
    assert login.send(factor.ref) == (0, 1)
    assert 100 < login.answer().seconds_left <= 120
    code = anna.code(number)
    assert login.verify(factor.ref, wrong(code)) == (0, 0)
    assert (login.answer().verdict, login.answer().tries_left) == (b"code-wrong", 2)
    assert login.account() == (0, 0)
    assert login.verify(factor.ref, code) == (0, 1)
    assert (login.answer().strength, login.answer().level) == (b"phone-otp", 2)
    assert login.account() == (0, 1)
    assert login.verify(factor.ref, code)[1] == 0  # once
    login.free()


def test_L10_nobody_is_told_who_exists(anna):
    login = Login(anna)
    assert login.begin("nobody-there") == (0, ASK)
    assert login.send(login.factor().ref) == (0, 1)
    assert login.verify(login.factor().ref, "123456") == (0, 0)
    assert login.answer().verdict == b"code-wrong"
    assert login.account() == (0, 0)
    login.free()


def test_threat_30_the_broker_is_killed_in_the_middle(anna):
    login = Login(anna)
    assert login.begin("anna") == (0, ASK)
    assert login.send(1) == (0, 1)
    code = anna.code()
    anna.stop_hard("broker")
    anna.start_broker()
    assert login.verify(1, code) == (0, 1)
    assert login.account() == (0, 1)
    anna.stop_hard("broker")
    assert login.lib.otpcore_set_timeout(login.handle, 300) == 0
    assert login.account() == (EDOWN, 0)
    anna.start_broker()
    assert login.account() == (0, 1)
    login.free()


@needs_root
def test_threat_01_a_user_asks_about_the_own_account_only(anna):
    library(anna.build)  # now: where it lies, others may not read

    def as_anna():
        login = Login(anna)
        status = ctypes.POINTER(Status)()
        found = [login.lib.otpcore_status(login.handle, u, ctypes.byref(status))
                 for u in (b"bert", b"root", b"anna")]
        return found, login.begin("bert"), status.contents.recorded, status.contents.strength

    found, other, recorded, strength = wirepy.as_uid(12001, as_anna)
    assert found == [EPERM, EPERM, 0] and other == (EPERM, 0)
    assert recorded == 0 and strength in (b"", b"none", b"password")
