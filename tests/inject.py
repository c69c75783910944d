"""Faults in a running program, as it is shipped: a library (tests/fault/inject.c) is
preloaded that fails calls of libc, and this says which.

    inject = Inject(house.dir, house.build)
    house.environ.update(inject.environ()); house.start()
    inject.watch(house.processes["broker"].pid)
    login()
    inject.passed("alloc")                      # how often that was called
    inject.arm("sync", nth=2, error=errno.EIO)  # the second one from now on
    inject.failed("sync")                       # did it happen?
    inject.arm("write", one_in=100, error=errno.ENOSPC)
    inject.off()
"""

import errno
import mmap
import os
import struct

KINDS = ("alloc", "write", "sync", "open", "accept", "connect", "socket", "read", "recv", "send",
         "truncate", "map", "stat", "rename", "lock", "thread", "poll", "random")
# What is likely for each.
ERRORS = {"alloc": errno.ENOMEM, "write": errno.ENOSPC, "sync": errno.EIO, "open": errno.EMFILE,
          "accept": errno.EMFILE, "connect": errno.ECONNREFUSED, "socket": errno.EMFILE,
          "read": errno.EIO, "recv": errno.ECONNRESET, "send": errno.EPIPE,
          "truncate": errno.EIO, "map": errno.ENOMEM, "stat": errno.EIO, "rename": errno.EIO,
          "lock": errno.EIO, "thread": errno.EAGAIN, "poll": errno.EINTR, "random": errno.EIO}
HEAD = struct.Struct("=iiQ48s")
ARM = struct.Struct("=qqqiiii")


class Inject:
    def __init__(self, directory, build):
        self.path = os.path.join(str(directory), "inject")
        self.library = os.path.join(str(build), ".libs/inject.so")
        with open(self.path, "wb") as f:
            f.write(bytes(HEAD.size + len(KINDS) * ARM.size))
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as f:
            self.at = mmap.mmap(f.fileno(), 0)

    def environ(self):
        return {"LD_PRELOAD": self.library, "MAGOTP_INJECT": self.path}

    def _arm(self, kind):
        return HEAD.size + KINDS.index(kind) * ARM.size

    def watch(self, pid, only="", seed=88172645463325252):
        """Calls of this process count from now on; `only` those from an object (.so)
        whose name contains that."""
        for kind in KINDS:
            ARM.pack_into(self.at, self._arm(kind), 0, 0, 0, 0, 0, 0, 0)
        HEAD.pack_into(self.at, 0, pid, 0, seed, only.encode())

    def arm(self, kind, nth=0, error=None, one_in=0, delay=0):
        """nth -3: the third and all that follow. A delay (ms) with error 0 is only that."""
        error = ERRORS[kind] if error is None else error
        ARM.pack_into(self.at, self._arm(kind), nth, 0, 0, error, one_in, delay, 0)

    def passed(self, kind):
        return ARM.unpack_from(self.at, self._arm(kind))[1]

    def failed(self, kind):
        return ARM.unpack_from(self.at, self._arm(kind))[2]

    def counts(self):
        return {k: self.passed(k) for k in KINDS if self.passed(k)}

    def disarm(self):
        for kind in KINDS:
            self.arm(kind, error=0)

    def off(self):
        HEAD.pack_into(self.at, 0, 0, 0, 0, b"")
