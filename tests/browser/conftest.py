"""A browser, a server, a simulator and a receiver: all real, each in its own process.

These tests run in a process of their own, which gevent does not patch (`bin/test` starts it):
Playwright lives on asyncio, and asyncio does not work on a patched hub.
"""

from __future__ import annotations

import secrets
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.acting import chromium
from tests.browser.acting.commands import Commands
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import EMAIL, PASSWORD, address, log_in
from tests.support.application import KEYS
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

commands = Commands()
# Everything a person waits for here is there within moments; on a busy machine within a minute.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

OpenContext = Callable[..., BrowserContext]


def pytest_configure() -> None:
    """Have SIGTERM end the tests as Ctrl-C does: what they started must not outlive them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """End the process that runs commands."""
    commands.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of them, and say why, where there is no chromium."""
    if chromium.find() is None:
        names = ", ".join(chromium.NAMES)
        mark = pytest.mark.skip(reason=f"no browser: none of {names} is installed")
        for item in items:
            item.add_marker(mark)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all the tests; each opens windows of its own."""
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def open_context(browser: Browser) -> Iterator[OpenContext]:
    """Opens a window with cookies of its own, on a Brazilian's machine; closed at the end."""
    opened: list[BrowserContext] = []

    def open_one(**options: object) -> BrowserContext:
        given = {"locale": "pt-BR", "viewport": {"width": 1280, "height": 800}, **options}
        context = browser.new_context(**given)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def page(open_context: OpenContext) -> Page:
    """A window with JavaScript."""
    return open_context().new_page()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    flask(f"sqlite:///{path}", "db", "upgrade")
    return path.read_bytes()


@pytest.fixture
def database_url(empty_database: bytes, tmp_path: Path) -> str:
    """The URL of an empty database of this test's own."""
    path = tmp_path / "test.sqlite"
    path.write_bytes(empty_database)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess() as simulator:
        yield simulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def server(
    database_url: str, tmp_path: Path, simulator: SimulatorProcess
) -> Iterator[ServerProcess]:
    """The server on an empty database; the simulator is its 3C Plus."""
    with ServerProcess(database_url, tmp_path, SOCKET_URL=simulator.url) as server:
        yield server


def flask(database_url: str, *arguments: str, typed: str = "") -> str:
    """What an administrator's command prints."""
    given = {**KEYS, "DATABASE_URL": database_url, "ALLOW_PRIVATE_TARGETS": "1"}
    return commands.run(arguments, given, typed)


def stored(database_url: str, statement: str) -> int:
    """Run a statement on the server's database; return the number that it selects, if it does."""
    path = database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=20)) as database:
        found = database.execute(statement).fetchone()
        database.commit()
        return int(found[0]) if found else 0


def register(database_url: str, simulator: SimulatorProcess, token: str) -> None:
    """Make an administrator and the company of this token, whose 3C Plus is the simulator."""
    flask(database_url, "user", "create", EMAIL, "--admin", "--password-stdin", typed=PASSWORD)
    created = ("company", "create", "Minha Empresa", "--token", "-", "--socket-url", simulator.url)
    flask(database_url, *created, typed=token)


def connect(database_url: str, simulator: SimulatorProcess, token: str, receiver: Receiver) -> None:
    """Make that company, connected, with a webhook that sends every event to the receiver."""
    register(database_url, simulator, token)
    flask(database_url, "webhook", "create", "company_1", "CRM", receiver.url)
    flask(database_url, "company", "connect", "company_1")
    simulator.wait_for_sockets(token)


@pytest.fixture
def token() -> str:
    """The simulator remembers what it refuses: each test has a token of its own."""
    return f"token-{secrets.token_hex(16)}"


@pytest.fixture
def watching(
    page: Page, database_url: str, server: ServerProcess, simulator: SimulatorProcess, token: str
) -> Page:
    """The page of a company that is connected, open in a browser."""
    register(database_url, simulator, token)
    flask(database_url, "company", "connect", "company_1")
    simulator.wait_for_sockets(token)
    log_in(page, server)
    page.goto(address(server, "/empresas/company_1"))
    expect(page.locator("#conexao .state.is-green")).to_contain_text("Conectada")
    return page
