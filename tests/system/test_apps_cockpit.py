"""cockpit: cockpit-ws without systemd, by its login's own protocol and in a browser."""

import base64
import http.client

import pytest

import apps
from host import PASSWORD, free_port, wait_for


PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>worth</title>
<script src="../base1/cockpit.js"></script></head>
<body><pre id="worth"></pre><script src="worth.js"></script></body></html>
"""
SCRIPT = """cockpit.spawn(["magotp", "status"], { err: "out" }).always((data, more) => {
    document.getElementById("worth").textContent = typeof data === "string" ? data : more;
});
"""


@pytest.fixture(scope="module")
def host(stage):
    with apps.app_host(stage) as host:
        apps.profile(host, "cockpit")
        # A page that shows what the session is worth, instead of cockpit's own.
        host.write("/usr/share/cockpit/worth/manifest.json", '{"version": 0}\n')
        host.write("/usr/share/cockpit/worth/index.html", PAGE)
        host.write("/usr/share/cockpit/worth/worth.js", SCRIPT)
        host.write("/etc/cockpit/cockpit.conf", "[WebService]\nShell = /worth/index.html\n")
        host.port = free_port()
        server = host.daemon("setpriv", "--reuid=cockpit-wsinstance", "--regid=cockpit-wsinstance",
                             "--init-groups", "/usr/lib/cockpit/cockpit-ws", "--no-tls", "--port",
                             host.port, "--address", "127.0.0.1", log=host.shared / "cockpit.log")
        wait_for("cockpit-ws", lambda: apps.listens(host.port))
        yield host
        host.stop(server)
        print((host.shared / "cockpit.log").read_text(errors="replace")[-3000:])


class Login:
    """What the login page does: Basic first, then X-Conversation for each prompt."""

    def __init__(self, host, password=PASSWORD):
        self.port = host.port
        self.ask("Basic " + base64.b64encode(f"alice:{password}".encode()).decode())

    def ask(self, authorization):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/cockpit/login", headers={"Authorization": authorization})
        answer = connection.getresponse()
        self.status = answer.status
        words = (answer.headers.get("WWW-Authenticate") or "").split()
        self.conversation, self.prompt = None, None
        if words and words[0] == "X-Conversation":
            self.conversation = words[1]
            self.prompt = base64.b64decode(words[2]).decode()
        connection.close()

    def answer(self, text):
        self.ask(f"X-Conversation {self.conversation} {base64.b64encode(text.encode()).decode()}")


def test_the_code_is_asked_in_a_field_of_its_own(host):
    login = Login(host)
    assert (login.status, login.conversation is not None) == (401, True)
    assert login.prompt.startswith("Second step for alice") and "Enter for 1: " in login.prompt
    login.answer(host.token.next())
    assert login.status == 200


def test_wrong_code_then_right(host):
    login = Login(host)
    login.answer("000000")
    assert login.status == 401 and "Wrong code, 4 tries left" in login.prompt
    login.answer("s")
    assert login.status == 401 and login.conversation, "a skip is not taken"
    login.answer(host.token.next())
    assert login.status == 200


def test_a_text_to_the_phone(host):
    before = len(host.messages())
    login = Login(host)
    login.answer("1")
    assert "Code sent by text to 0134" in login.prompt
    login.answer(host.code(host.message(after=before)))
    assert login.status == 200


def test_wrong_password_is_asked_nothing(host):
    login = Login(host, "wrong")
    assert (login.status, login.conversation) == (401, None)


def test_broker_down(host):
    with apps.broker_down(host):
        login = Login(host)
        assert (login.status, login.conversation) == (401, None)


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    home = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={home}"):
        options.add_argument(option)
    options.binary_location = "/usr/bin/chromium"
    service = Service("/usr/bin/chromedriver", env={"HOME": str(home), "PATH": "/usr/bin:/bin"})
    driver = webdriver.Chrome(service=service, options=options)
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


def element(browser, name):
    """The element with that id, once it is shown."""
    def shown():
        found = browser.find_elements("id", name)
        return found[0] if found and found[0].is_displayed() else None
    return wait_for(f"#{name}", shown)


def test_a_browser_logs_in_and_the_session_is_worth_the_token(host, browser):
    browser.get(f"http://127.0.0.1:{host.port}/")
    element(browser, "login-user-input").send_keys("alice")
    element(browser, "login-password-input").send_keys(PASSWORD)
    element(browser, "login-button").click()
    field = element(browser, "conversation-input")
    assert "Second step for alice" in element(browser, "conversation-prompt").text
    assert field.get_attribute("type") == "text"
    field.send_keys("000000")
    element(browser, "login-button").click()
    wait_for("the refusal", lambda: "Wrong code" in element(browser, "conversation-prompt").text)
    field = element(browser, "conversation-input")
    field.clear()
    field.send_keys(host.token.next())
    element(browser, "login-button").click()
    seen = wait_for("the page", lambda: element(browser, "worth").text)
    assert "OTP Hardware Token (hardware-otp), level 2" in seen, seen
