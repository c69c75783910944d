"""nginx's auth_pam: workers without rights, one password field, PAM twice for GET /."""

import base64
import http.client

import pytest

import apps
from host import PASSWORD, free_port, wait_for


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage, "[broker]\nverifiers = www-data:nginx\n") as host:
        apps.profile(host, "nginx")
        apps.password_file(host, "www-data")
        host.port = free_port()
        host.write("/srv/www/index.html", "the page\n")
        host.write("/srv/www/other.html", "another\n")
        # Each wrong login keeps its worker for two seconds: libpam's delay.
        host.write("/etc/nginx/magotp.conf", f"""
load_module modules/ngx_http_auth_pam_module.so;
user www-data;
worker_processes 6;
pid /run/nginx-magotp.pid;
error_log {host.shared}/nginx.log info;
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{host.port} reuseport;
        root /srv/www;
        index index.html;
        auth_pam "magotp";
        auth_pam_service_name "nginx";
    }}
}}
""")
        host.daemon("nginx", "-c", "/etc/nginx/magotp.conf", "-g", "daemon off;",
                    log=host.shared / "nginx.out")
        wait_for("nginx", lambda: apps.listens(host.port))
        yield host
        print((host.shared / "nginx.log").read_text(errors="replace")[-3000:])


def get(host, password=None, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=20)
    headers = {}
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_H6_a_page_behind_an_internal_redirect_opens_with_one_code(host):
    asked = host.logs().count("verify account=alice service=nginx")
    status, page = get(host, f"{PASSWORD},{host.token.next()}")
    assert (status, page) == (200, "the page\n")
    # ... although PAM was asked twice, for / and for /index.html.
    assert host.logs().count("verify account=alice service=nginx") == asked + 2


def test_H6_a_code_that_was_used_opens_nothing_more(host):
    first = f"{PASSWORD},{host.token.next()}"
    assert get(host, first)[0] == 200
    assert get(host, first)[0] == 401


def test_refusals(host):
    """None of them opens, none says more than the others, and no code is spent."""
    code = host.token.next()
    tries = [None, PASSWORD, f"{PASSWORD},000000", f"wrong,{code}"]
    answers = apps.at_once(lambda p: get(host, p, "/other.html"), tries)
    assert [status for status, _ in answers] == [401] * len(tries)
    assert len({body for _, body in answers}) == 1
    assert get(host, f"{PASSWORD},{code}", "/other.html") == (200, "another\n")


def test_a_code_sent_on_request_opens_the_next_time(host):
    before = len(host.messages())
    assert get(host, f"{PASSWORD},sms")[0] == 401
    code = host.code(host.message(after=before))
    assert get(host, f"{PASSWORD},{code}")[0] == 200
    assert len(host.messages()) == before + 1


def test_broker_down(host):
    code = host.token.next()
    with apps.broker_down(host):
        assert get(host, f"{PASSWORD},{code}")[0] != 200
    assert get(host, f"{PASSWORD},{code}")[0] == 200
