"""What the parts of make bench share: a row each, and where the figures go."""

import json
import os
import platform
import socket
import statistics
import threading


def multiarch_module(name):
    for d in ("/usr/lib/%s-linux-gnu/security" % platform.machine(), "/usr/lib64/security",
              "/usr/lib/security", "/lib/security"):
        if os.path.exists(os.path.join(d, name)):
            return os.path.join(d, name)
    return None


def swallow_syslog():
    """A /dev/log that takes everything: without one, libc writes to the console."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("/dev/log")
    os.chmod("/dev/log", 0o666)

    def sink():
        while True:
            s.recv(65536)

    threading.Thread(target=sink, daemon=True).start()


def row(name, got, target, stretch, good):
    """got: the ratio of each round. The median counts."""
    middle = statistics.median(got)
    met = target is None or (middle >= target if good == ">=" else middle <= target)
    return {"name": name, "target": target, "stretch": stretch, "good": good,
            "measured": middle, "min": min(got), "max": max(got),
            "verdict": "no target" if target is None else "ok" if met else "below target"}


def show(rows):
    def bound(r, key):
        return "-" if r[key] is None else "%s %.2f" % (r["good"], r[key])

    for r in rows:
        print("%s | %s | %s | %.3g (%.3g-%.3g) | %s" % (r["name"], bound(r, "target"),
              bound(r, "stretch"), r["measured"], r["min"], r["max"], r["verdict"]), flush=True)


def save(out, part, rows, **more):
    load = os.getloadavg()[0]
    if load > os.cpu_count():
        print("Other programs were at work (load %.1f on %d processors): measure again."
              % (load, os.cpu_count()))
    with open(os.path.join(out, part + ".json"), "w") as f:
        json.dump({"cpus": os.cpu_count(), "kernel": platform.release(), "load": load,
                   "rows": rows, **more}, f, indent=1)
        f.write("\n")
