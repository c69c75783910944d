"""An SMSC that speaks SMPP 3.4, for Kannel to bind to: says to each message what the test
wants, as SMSCs do.

    with SmppServer() as smsc, SmppKannel(directory, smsc) as kannel:
        smsc.mode = "throttle"      # deliver undeliver throttle fail silent mute
        smsc.messages               # [{"to", "text"}] that it took
"""

import contextlib
import itertools
import socket
import struct
import threading
import time

from peers import Kannel, wait_for

BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x9, 0x4, 0x5, 0x6, 0x15
THROTTLED, SUBMIT_FAILED = 0x58, 0x45  # SMPP 3.4 §5.1.3


def c_string(body, at):
    end = body.index(b"\0", at)
    return body[at:end].decode("latin-1"), end + 1


def read_submit(body):
    """to, text, and whether a receipt is wanted (SMPP 3.4 §4.4.1)."""
    _, at = c_string(body, 0)          # service_type
    source, at = c_string(body, at + 2)
    to, at = c_string(body, at + 2)
    _, at = c_string(body, at + 3)     # schedule_delivery_time
    _, at = c_string(body, at)         # validity_period
    receipt, _, coding, _, length = body[at:at + 5]
    text = body[at + 5:at + 5 + length]
    return {"from": source, "to": "+" + to, "receipt": receipt & 3 == 1,
            "text": text.decode("utf-16-be" if coding & 0xc == 8 else "latin-1")}


class SmppServer:
    """Listens; `messages` were taken, `attempts` counts all submit_sm."""

    # mode: (status of submit_sm_resp or None for no answer, stat of the receipt or None)
    MODES = {
        "deliver": (0, "DELIVRD"),
        "undeliver": (0, "UNDELIV"),
        "throttle": (THROTTLED, None),
        "fail": (SUBMIT_FAILED, None),
        "silent": (0, None),
        "mute": (None, None),
    }

    def __init__(self):
        self.mode, self.messages, self.attempts = "deliver", [], 0
        self.bound = threading.Event()
        self._ids = itertools.count(1)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _send(connection, command, status, sequence, body=b""):
        connection.sendall(struct.pack("!IIII", 16 + len(body), command, status, sequence) + body)

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError, struct.error), \
                connection.makefile("rb") as stream:
            while True:
                length, command, _, sequence = struct.unpack("!IIII", stream.read(16))
                body = stream.read(length - 16)
                if command == SUBMIT:
                    self._submitted(connection, sequence, body)
                elif command in (BIND, UNBIND, ENQUIRE):
                    self._send(connection, command | 0x80000000, 0, sequence,
                               b"smsc\0" if command == BIND else b"")
                    if command == BIND:
                        self.bound.set()

    def _submitted(self, connection, sequence, body):
        message = read_submit(body)
        status, stat = self.MODES[self.mode]
        number = f"m{next(self._ids)}"
        self.attempts += 1
        if status is None:
            return
        self._send(connection, SUBMIT | 0x80000000, status, sequence,
                   f"{number}\0".encode() if status == 0 else b"")
        if status:
            return
        self.messages.append(message)
        if stat and message["receipt"]:
            self._receipt(connection, message, number, stat)

    def _receipt(self, connection, message, number, stat):
        now = time.strftime("%y%m%d%H%M")
        arrived = int(stat == "DELIVRD")
        text = (f"id:{number} sub:001 dlvrd:{arrived:03} submit date:{now} done date:{now} "
                f"stat:{stat} err:{0 if arrived else 1:03} text:").encode()
        to, source = message["to"][1:].encode(), message["from"].encode()
        # esm_class 4: a receipt (SMPP 3.4 §5.2.12).
        body = (b"\0\1\1" + to + b"\0\1\1" + source + b"\0" + bytes([4, 0, 0]) + b"\0\0" +
                bytes([0, 0, 0, 0, len(text)]) + text)
        self._send(connection, DELIVER, 0, next(self._ids), body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class SmppKannel(Kannel):
    """A real Kannel bound to such a server instead of its fake SMSC."""

    def __init__(self, directory, smsc):
        super().__init__(directory)
        self.smsc = smsc

    def _smsc_group(self):
        return f"""smsc = smpp
smsc-id = SMPP
host = 127.0.0.1
port = {self.smsc.port}
transceiver-mode = true
smsc-username = magotp
smsc-password = open
system-type = ""
wait-ack = 5
reconnect-delay = 1
"""

    def _start_smsc(self):
        wait_for("the bind", self.smsc.bound.is_set)
