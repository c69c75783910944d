"""threat 31: gateways that are half open. The kernel of the peer still takes connections, or what
was connected has vanished without a word: real servers (nginx, opensmtpd, Kannel) that are stopped
(SIGSTOP), and a host in a network namespace whose cable is cut. Each message goes out by the next
gateway, others are served meanwhile, no descriptor stays, and who is back is asked again."""

import os
import shutil
import signal
import subprocess

import pytest

import net
from peers import Kannel, OpenSmtpd, free_port, wait_for
from smsd import ACCEPTED

WAIT = 2  # seconds that each of them may take
SMS, CALL, BRITISH = {"to": "+12025550134"}, {"channel": "voice"}, {"to": "+442079460000"}
MAIL = {"channel": "email", "to": "anna@example.org", "template": "", "code": "", "text": "hello",
        "priority": 3}


class Nginx:
    """HTTPS, on any address: each request is answered with {}."""

    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")

    def __init__(self, directory, authority, address="127.0.0.1", inside=()):
        self.directory, self.address, self.inside = directory / "nginx", address, list(inside)
        self.port = free_port()
        self.certificate, self.key = authority.issue("nginx-" + address, address)
        self.authority = authority

    def __enter__(self):
        self.directory.mkdir()
        config = self.directory / "conf"
        places = "".join(f"{kind}_temp_path {self.directory}/{kind};\n"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(f"""daemon off;
pid {self.directory}/pid;
error_log {self.directory}/error.log;
events {{}}
http {{
access_log off;
{places}
server {{ listen {self.address}:{self.port} ssl;
ssl_certificate {self.certificate};
ssl_certificate_key {self.key};
location / {{ return 200 "{{}}"; }} }} }}
""")
        self.process = subprocess.Popen([*self.inside, self.program, "-c", str(config)],
                                        stderr=subprocess.DEVNULL)
        wait_for("nginx", lambda: len(tree(self.process.pid)) > 1)
        return self

    def gateway(self, **more):
        lines = {"driver": "http", "url": f"https://{self.address}:{self.port}/",
                 "ca": self.authority.certificate, "encode": "json", "field.to": "{to}",
                 "field.text": "{text}", "timeout": f"{WAIT}s", "countries": "US", **more}
        return "[gateway web]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def tree(pid):
    """It and all that it has started."""
    found = [pid]
    for p in found:
        with open(f"/proc/{p}/task/{p}/children") as f:
            found += map(int, f.read().split())
    return found


def tell(pids, number):
    for pid in pids:
        os.kill(pid, number)


def descriptors(smsd):
    return len(os.listdir(f"/proc/{smsd.process.pid}/fd"))


def each_by(smsd, names):
    """{gateway: how many} of one message for each of these."""
    got = [smsd.outcome(**names[name])["gateway"] for name in names]
    return dict(zip(names, got))


def all_go_on(smsd, names, before, copies=4):
    """While the gateways of `names` are half open."""
    pending = [smsd.later(**fields) for fields in names.values() for _ in range(copies)]
    assert smsd.outcome(**CALL)["gateway"] == "outbox"  # a call goes by another gateway
    assert not all(p.done() for p in pending), "it waited for them"
    replies = [p.result(60) for p in pending]
    assert {(r["outcome"], r["gateway"]) for r in replies} == {(ACCEPTED, "outbox")}, replies
    wait_for("closed connections", lambda: descriptors(smsd) < before + len(pending) / 2)
    # They rest: the next messages do not wait for them.
    assert set(each_by(smsd, names).values()) == {"outbox"}
    gateways = smsd.gateways()
    for name in names:
        assert gateways[name]["resting"], gateways[name]
        assert gateways[name]["failed"] >= 3 and gateways[name]["waiting"] == 0


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: servers of their own")
needs_nginx = pytest.mark.skipif(not Nginx.program, reason="nginx is not installed")


@needs_root
@needs_nginx
def test_threat_31_gateways_that_stand_still(smsd, directory, authority):
    """Stopped: TCP is answered by the kernel, and nothing comes. By HTTPS, SMTP, and Kannel whose
    bearerbox, which speaks to the SMSC, is stopped behind its smsbox."""
    if Kannel.missing() or not os.path.exists(OpenSmtpd.program):
        pytest.skip("Kannel or opensmtpd is not installed")
    names = {"web": SMS, "kannel": BRITISH, "mail": MAIL}
    with Nginx(directory, authority) as web, Kannel(directory) as kannel, \
            OpenSmtpd(directory) as mail:
        smsd.configure(web.gateway(), kannel.preset(timeout=f"{WAIT}s", countries="GB"),
                       "[gateway mail]\ndriver = smtp\nchannels = email\ntls = none\n"
                       f"url = smtp://127.0.0.1:{mail.port}\nfrom = otp@example.org\n"
                       f"timeout = {WAIT}s\n", smsd.outbox_gateway(priority=90),
                       allowed_countries="*")
        smsd.start()
        before = descriptors(smsd)
        assert each_by(smsd, names) == {name: name for name in names}
        stopped = [*tree(web.process.pid), *tree(mail.process.pid), kannel.processes[0].pid]
        tell(stopped, signal.SIGSTOP)
        try:
            all_go_on(smsd, names, before)
        finally:
            tell(stopped, signal.SIGCONT)
        smsd.reload()
        assert each_by(smsd, names) == {name: name for name in names}


@needs_root
@needs_nginx
def test_threat_31_a_gateway_whose_host_vanishes(smsd, directory, authority):
    """Its cable is cut while a connection is kept: no FIN, no RST. Then nobody answers who connects
    either. When it is back it is asked again."""
    try:
        network = net.Network(("here", "there")).__enter__()
    except net.Unable as e:
        pytest.skip(f"no networks: {e}")
    try:
        with Nginx(directory, authority, network.address("there"), network.inside("there")) as web:
            smsd.wrapper = network.inside("here")
            smsd.configure(web.gateway(), smsd.outbox_gateway(priority=90))
            smsd.start()
            before = descriptors(smsd)
            wait_for("the way there", lambda: smsd.outcome()["gateway"] == "web")
            network.cut("there")
            all_go_on(smsd, {"web": SMS}, before)
            network.mend("there")
            smsd.reload()
            assert smsd.outcome()["gateway"] == "web"
            smsd.stop()
    finally:
        network.__exit__()
