"""The receivers of the guide and of a webhook's page run as they are shown.

Each takes what the program's own sender sends it, and refuses what was tampered with.
"""

from __future__ import annotations

import html
import http.client
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, store_of, wait_until
from tests.support.receiver import Received, Receiver
from tests.support.server_process import free_port
from tests.web.support.deliveries import logged_in, read
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.sending.trial import run_trial
from webhookproxy.extensions import db
from webhookproxy.models.signing_secrets import rotate_secret
from webhookproxy.models.webhooks import find_webhook

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/uso/guia.md").read_text(encoding="utf-8")
SECRET, NEW_SECRET = "canary-segredo-ção-1", "canary-segredo-ção-2"
# A field of its sample has letters outside ASCII: bytes and characters differ in number.
EVENT = "call-history-was-created"
# The language as a page names it, its name in the guide, the file, and what runs it.
LANGUAGES: Mapping[str, tuple[str, str, Callable[[int], list[str]]]] = {
    "python": ("python", "receptor.py", lambda _: [sys.executable, "receptor.py"]),
    "node": ("js", "receptor.js", lambda _: ["node", "receptor.js"]),
    "php": ("php", "receptor.php", lambda port: ["php", "-S", f"127.0.0.1:{port}", "receptor.php"]),
}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name != "python" and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def of_the_guide(_app: Flask, language: str) -> str:
    """Return the only block of this language that is a program."""
    (code,) = re.findall(rf"```{LANGUAGES[language][0]}\n(.*?)```", GUIDE, re.DOTALL)
    return str(code)


def of_the_page(app: Flask, language: str) -> str:
    """The receiver that a user copies from the page of a webhook."""
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4009/", secret=SECRET)
    page = read(logged_in(app, admin=True), f"/webhooks/webhook_{webhook}")
    found = re.search(rf'id="codigo-{language}"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


@pytest.fixture(params=[of_the_guide, of_the_page])
def code(request: pytest.FixtureRequest, app: Flask, language: str) -> str:
    return str(request.param(app, language))


@contextmanager
def running(language: str, code: str, folder: Path, secret: str) -> Iterator[int]:
    """Yield the port of a receiver that was started as the guide says."""
    _, file, command = LANGUAGES[language]
    (folder / file).write_text(code, encoding="utf-8")
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret}
    process = subprocess.Popen(
        command(port),
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: listens(port), 20, f"the receiver in {language} listens")
        yield port
        assert process.poll() is None, "it did not live through what it was sent"
    finally:
        process.kill()
        process.communicate()


def listens(port: int) -> bool:
    try:
        return post(port, b"", {}) > 0
    except OSError:
        return False


def post(port: int, body: bytes, headers: Mapping[str, str]) -> int:
    """The status that a receiver answers with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/webhook", body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def trial(app: Flask, webhook: int) -> Outcome:
    """The result of a test event, sent by the sender of all deliveries."""
    with app.app_context():
        found = find_webhook(db.session(), webhook)
        return run_trial(db.session(), found, EVENT, app.extensions["policy"]).outcome


def a_post(app: Flask, company: int) -> Received:
    """One POST as it travels, to be sent again by another sender."""
    with Receiver() as receiver:
        trial(app, make_webhook(app, company, receiver.url(), secret=SECRET))
        return receiver.requests[0]


def rotate(app: Flask, webhook: int) -> None:
    def job(session: Session) -> None:
        rotate_secret(session, find_webhook(session, webhook), NEW_SECRET)

    store_of(app).session(job)


def test_it_takes_what_we_send_and_nothing_else(
    app: Flask, language: str, code: str, tmp_path: Path
) -> None:
    company = make_company(app, token="canary-token-of-the-company-0003")
    with running(language, code, tmp_path, SECRET) as port:
        url = f"http://127.0.0.1:{port}/webhook"
        assert trial(app, make_webhook(app, company, url, secret=SECRET)).status == 204
        assert trial(app, make_webhook(app, company, url, secret=NEW_SECRET)).status == 401
        assert trial(app, make_webhook(app, company, url)).status == 401
        sent = a_post(app, company)
        assert not sent.body.isascii()
        assert post(port, sent.body, sent.headers) == 204
        tampered = sent.body.replace(b"webhook-proxy-3c-plus", b"webhook-proxy-3c-pluz")
        assert tampered != sent.body
        for body in (tampered, sent.body + b" ", sent.body[:-1], b""):
            length = {"Content-Length": str(len(body))}
            assert post(port, body, {**sent.headers, **length}) == 401


def test_it_refuses_a_signature_that_is_none(app: Flask, language: str, tmp_path: Path) -> None:
    sent = a_post(app, make_company(app))
    forged = ("", " ", "0", "0" * 63, "0" * 64, "zz" * 32, "\xe7" * 64)
    with running(language, of_the_guide(app, language), tmp_path, SECRET) as port:
        for name, value in product(("X-Signature-SHA256", "X-Signature-SHA256-Next"), forged):
            headers = {**sent.headers, "X-Signature-SHA256": "", name: value}
            assert post(port, sent.body, headers) == 401, (name, value)
        assert post(port, sent.body, sent.headers) == 204


def test_all_through_a_rotation_it_takes_us_with_either_secret(
    app: Flask, language: str, code: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        ports = []
        for number, secret in enumerate((SECRET, NEW_SECRET, "canary-another")):
            folder = tmp_path / str(number)
            folder.mkdir()
            ports.append(stack.enter_context(running(language, code, folder, secret)))
        company = make_company(app, token="canary-token-of-the-company-0003")
        answers = []
        for port in ports:
            webhook = make_webhook(app, company, f"http://127.0.0.1:{port}/", secret=SECRET)
            rotate(app, webhook)
            answers.append(trial(app, webhook).status)
        assert answers == [204, 204, 401]


def test_without_a_secret_nothing_is_taken(app: Flask, tmp_path: Path) -> None:
    """PHP would use an empty key for a missing one, and everyone has that."""
    if shutil.which("php") is None:
        pytest.skip("php is not installed")
    with running("php", of_the_guide(app, "php"), tmp_path, "") as port:
        empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        assert post(port, b"", {"X-Signature-SHA256": empty}) == 401


def test_the_guide_and_the_page_show_the_same(app: Flask, language: str) -> None:
    assert of_the_guide(app, language).strip() == of_the_page(app, language).strip()
