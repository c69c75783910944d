"""What stands in the memory of a running program, and whether it could be swapped out."""

import pathlib
import re
import resource

import pytest

CAP_IPC_LOCK = 14


def may_lock():
    """Root without this right, in some containers, cannot lock more than the limit."""
    rights = re.search(r"CapEff:\t(\w+)", pathlib.Path("/proc/self/status").read_text()).group(1)
    return bool(int(rights, 16) >> CAP_IPC_LOCK & 1 or resource.RLIM_INFINITY ==
                resource.getrlimit(resource.RLIMIT_MEMLOCK)[1])


needs_locking = pytest.mark.skipif(not may_lock(), reason="no memory may be locked: needs CAP_IPC_LOCK")


def family(pid):
    """The process and all that it started."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        children = []  # it has ended
    return [pid, *(p for child in children for p in family(int(child)))]


def mappings(pid):
    """(low, high, mode, name, flags of the kernel) of each. "lo": it is never swapped out; "dd":
    nor written into a core."""
    with open(f"/proc/{pid}/smaps") as maps:
        for line in maps:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if head:
                low, high, mode, name = head.groups()
            elif line.startswith("VmFlags:"):
                yield int(low, 16), int(high, 16), mode, name, set(line.split()[1:])


def writable(pid):
    """(name, flags, bytes) of what the process can write to. A memfd_secret cannot be read at
    all, not even by root."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for low, high, mode, name, flags in mappings(pid):
            if not mode.startswith("rw"):
                continue
            try:
                memory.seek(low)
                found.append((name or "anonymous", flags, memory.read(high - low)))
            except OSError:
                continue
    return found


def swappable(pid):
    """(name, bytes) of what can be swapped out."""
    return [(name, data) for name, flags, data in writable(pid) if "lo" not in flags]
