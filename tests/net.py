"""Hosts of a network for one test: namespaces on a bridge, with latency.

    with Network(("auth1", "auth2", "edge1"), delay_ms=20) as net:
        subprocess.run([*net.inside("auth1"), "ip", "addr"])
        net.address("auth1")          # 10.99.0.1
        net.far("auth1", 7443)        # where it is to be reached with the latency

Latency is netem's (tc) where the kernel has it; else a program on the bridge hands
every byte on as much later. Nothing of it outlives the test: the namespaces end with
the processes that hold them."""

import subprocess
import sys

PROXY = """
import asyncio, sys
delay, port = float(sys.argv[1]), int(sys.argv[4])
async def pump(reader, writer):
    queue, loop = asyncio.Queue(), asyncio.get_running_loop()
    async def later():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()
    task = asyncio.ensure_future(later())
    while True:
        try:
            data = await reader.read(65536)
        except OSError:
            data = b""
        queue.put_nowait((loop.time() + delay, data))
        if not data:
            break
    try:
        await task
    except OSError:
        pass
async def serve(reader, writer):
    try:
        await asyncio.sleep(2 * delay)  # a round trip to connect
        far = await asyncio.open_connection(sys.argv[3], port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, far[1]), pump(far[0], writer))
async def main():
    async with await asyncio.start_server(serve, sys.argv[2], port) as server:
        print("ready", flush=True)
        await server.serve_forever()
asyncio.run(main())
"""


class Unable(Exception):
    """The kernel has no such networks; says what failed."""


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise Unable("%s: %s" % (" ".join(map(str, command)), done.stderr.strip()))


class Network:
    def __init__(self, names, delay_ms=0):
        self.names, self.delay_ms = list(names), delay_ms
        self.processes = {}
        self.netem = False

    def _hold(self, name):
        p = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes[name] = p
        if p.stdout.readline() != "ready\n":
            raise Unable("no network namespaces")
        run(*self.inside(name), "ip", "link", "set", "lo", "up")

    def inside(self, name):
        return ["nsenter", "--target=%d" % self.processes[name].pid, "--net", "--"]

    def address(self, name):
        return "10.99.0.%d" % (self.names.index(name) + 1)

    def _join(self, name):
        n = self.names.index(name)
        hub = self.processes["hub"].pid
        run(*self.inside(name), "ip", "link", "add", "eth0", "type", "veth", "peer", "name",
            "port%d" % n, "netns", hub)
        run(*self.inside(name), "ip", "addr", "add", self.address(name) + "/24", "dev", "eth0")
        run(*self.inside(name), "ip", "link", "set", "eth0", "up")
        run(*self.inside("hub"), "ip", "link", "set", "port%d" % n, "master", "bridge", "up")
        if self.netem:
            run(*self.inside(name), "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay",
                "%dms" % (self.delay_ms // 2))  # each way passes two of them

    def __enter__(self):
        try:
            self._hold("hub")
            run(*self.inside("hub"), "ip", "link", "add", "bridge", "type", "bridge")
            run(*self.inside("hub"), "ip", "addr", "add", "10.99.0.254/24", "dev", "bridge")
            run(*self.inside("hub"), "ip", "link", "set", "bridge", "up")
            try:
                run(*self.inside("hub"), "tc", "qdisc", "add", "dev", "lo", "root", "netem",
                    "delay", "1ms")
                self.netem = True
            except (Unable, FileNotFoundError):
                print("no netem here: a program on the bridge delays by %d ms" % self.delay_ms)
            for name in self.names:
                self._hold(name)
                self._join(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def far(self, name, port):
        """(address, port) that reaches the host's port with the latency."""
        if self.netem:
            return self.address(name), port
        near = "10.99.0.%d" % (self.names.index(name) + 101)
        if near not in self.processes:
            run(*self.inside("hub"), "ip", "addr", "add", near + "/24", "dev", "bridge")
            p = subprocess.Popen([*self.inside("hub"), sys.executable, "-c", PROXY,
                                  str(self.delay_ms / 1000), near, self.address(name), str(port)],
                                 stdout=subprocess.PIPE, text=True)
            self.processes[near] = p
            assert p.stdout.readline() == "ready\n"
        return near, port

    def cut(self, name):
        """Nothing reaches the host any more, and nothing says so."""
        run(*self.inside("hub"), "ip", "link", "set", "port%d" % self.names.index(name), "down")

    def mend(self, name):
        run(*self.inside("hub"), "ip", "link", "set", "port%d" % self.names.index(name), "up")

    def __exit__(self, *_):
        for p in reversed(self.processes.values()):
            p.terminate()
        for p in self.processes.values():
            p.wait(10)
            for pipe in (p.stdin, p.stdout):
                if pipe:
                    pipe.close()
        self.processes = {}

