"""threat 31: clients of both daemons' sockets that are slow on purpose."""

import contextlib
import os
import select
import time

import wirepy
from peers import wait_for


def descriptors(house, name):
    return len(os.listdir("/proc/%d/fd" % house.processes[name].pid))


def quiet(s):
    """Is there nothing to read just now?"""
    return not select.select([s], [], [], 0)[0]


def test_threat_31_slow_clients_lose_their_place(anna):
    """Silent ones, half a frame, a frame byte by byte, answers that nobody reads. Others are
    served beside them, and each of them is ended."""
    ask = {anna.socket: "ping", anna.smsd_socket: "gateway_list"}
    anna.call("ping")
    before = {name: descriptors(anna, name) for name in ("broker", "smsd")}
    begun, silent, deaf = time.monotonic(), [], []
    for path, name in ask.items():
        silent += [wirepy.connect(path, 40) for _ in range(20)]
        frame = wirepy.encode_request(name)
        for piece in (frame[:1], frame[:len(frame) // 2], frame[:-1]):
            with wirepy.connect(path, 20) as s:  # a datagram that is no frame is told so at once
                s.send(piece)
                assert s.recv(wirepy.FRAME_MAX)
        for times in (1, 2000):  # as often as it is listened to
            s = wirepy.connect(path, 20)
            s.setblocking(False)
            deaf.append(s)
            with contextlib.suppress(OSError):
                for _ in range(times):
                    s.send(frame)
    login = anna.login("anna")
    assert login.send()[0].verdict == "ok"
    assert login.verify(anna.code(anna.number_of["anna"]))[0].verdict == "ok"
    assert all(map(quiet, silent)), "they were there meanwhile"
    for s in silent:
        assert s.recv(1) == b""
    assert time.monotonic() - begun > 8
    for name, n in before.items():
        wait_for("all are gone", lambda: descriptors(anna, name) < n + 5)  # of more than twenty
    for s in silent + deaf:
        s.close()
