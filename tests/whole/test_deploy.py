"""The Procfile's own commands, as a hosting service runs them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest
import requests
from gevent.server import StreamServer
from sqlalchemy.engine import make_url

from tests.support.application import KEYS, wait_until
from tests.support.server_process import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "uma senha bem comprida"
pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


def commands() -> dict[str, str]:
    """The Procfile: its processes and their commands."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def environment(url: str, port: int) -> dict[str, str]:
    """Return a hosting service's settings, with the database's address in its form."""
    return {
        **os.environ,
        **KEYS,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": url.replace("postgresql+psycopg://", "postgres://"),
        "PORT": str(port),
        "WEB_CONCURRENCY": "4",
        "PROXY_HOPS": "1",
    }


@contextmanager
def running(command: str, given: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process of the Procfile; kill it at the end if it still runs."""
    with output.open("wb") as printed:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=ROOT,
            env=given,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def status_of(url: str) -> int:
    """Return the status of /saude; 0 if no server answers."""
    try:
        return requests.get(f"{url}/saude", timeout=20).status_code
    except requests.ConnectionError:
        time.sleep(0.1)
        return 0


def log_in(url: str, code: str) -> requests.Session:
    """A session of the first administrator, created as a person would."""
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{url}/primeiro-acesso", timeout=10).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    given = {
        "csrf_token": token[1],
        "code": code,
        "email": "ana@exemplo.com.br",
        "password": PASSWORD,
        "repeated": PASSWORD,
    }
    assert session.post(f"{url}/primeiro-acesso", data=given, timeout=20).url == f"{url}/"
    return session


def test_a_dyno_that_starts_while_postgresql_is_away_serves_when_it_is_back(
    postgresql_url: str, tmp_path: Path
) -> None:
    folder = make_url(postgresql_url).query["host"]
    address = ("127.0.0.1", free_port())
    away = make_url(postgresql_url).set(host=address[0], port=address[1], query={})
    database = StreamServer(address, partial(relay, f"{folder}/.s.PGSQL.5432"))
    port = free_port()
    url, output = f"http://127.0.0.1:{port}", tmp_path / "web.txt"
    given = environment(away.render_as_string(hide_password=False), port)
    with running(commands()["web"], given, output) as web:
        wait_until(lambda: status_of(url) == 503, 30, "the server answers")
        database.start()
        wait_until(lambda: status_of(url) == 200, 30, "the server owns the sockets")
        code = "?codigo="
        wait_until(lambda: code in output.read_text(encoding="utf-8"), 20, "the code is said")
        web.send_signal(signal.SIGTERM)
        assert web.wait(60) == 0
        database.stop()
    log = output.read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert log.count("cannot ask PostgreSQL for the lease") == 1


def test_a_dyno_without_postgresql_makes_its_own_tables(tmp_path: Path) -> None:
    port = free_port()
    given = environment(f"sqlite:///{tmp_path / 'own.sqlite'}", port)
    with running(commands()["web"], given, tmp_path / "web.txt"):
        wait_until(lambda: status_of(f"http://127.0.0.1:{port}") == 200, 30, "the server answers")
    # The hosting service's router comes from another machine.
    log = (tmp_path / "web.txt").read_text(encoding="utf-8")
    assert f"listening on 0.0.0.0 port {port}" in log


def relay(path: str, client: socket.socket, _address: Any) -> None:
    """Pass everything on to a Unix socket, and back."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        ways = [gevent.spawn(pump, client, server), gevent.spawn(pump, server, client)]
        gevent.joinall(ways, count=1)
        gevent.killall(ways)


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def test_release_then_web_serve_pages_and_stop_within_20_s_with_a_live_page_open(
    postgresql_url: str, tmp_path: Path
) -> None:
    port = free_port()
    url, output = f"http://127.0.0.1:{port}", tmp_path / "web.txt"
    given = environment(postgresql_url, port)
    release = shlex.split(commands()["release"])
    subprocess.run(release, cwd=ROOT, env=given, check=True, timeout=200, capture_output=True)
    with running(commands()["web"], given, output) as web:
        wait_until(lambda: status_of(url) == 200, 30, "the server answers")
        code = re.search(r"\?codigo=([0-9a-f-]+)", output.read_text(encoding="utf-8"))
        assert code
        session = log_in(url, code[1])
        with session.get(f"{url}/ao-vivo", stream=True, timeout=30) as stream:
            lines = stream.iter_lines(chunk_size=1)
            assert next(lines).startswith(b"event: ")
            web.send_signal(signal.SIGTERM)
            began = time.monotonic()
            # The stream must end by itself: the session has a time limit.
            assert list(lines) is not None
            assert web.wait(60) == 0
        assert time.monotonic() - began < 24
    log = output.read_text(encoding="utf-8")
    assert log.count("listening on ") == 1
    assert "Traceback" not in log


def test_options_of_the_environment_change_neither_the_one_worker_nor_what_is_printed(
    sqlite_url: str, tmp_path: Path
) -> None:
    port, output = free_port(), tmp_path / "web.txt"
    options = "--preload --access-logfile - --workers 3 --worker-class sync --max-requests 2"
    given = {**environment(sqlite_url, port), "GUNICORN_CMD_ARGS": options}
    url = f"http://127.0.0.1:{port}"
    with running(commands()["web"], given, output) as web:
        wait_until(lambda: status_of(url) == 200, 30, "the server answers")
        for _ in range(5):
            requests.get(f"{url}/eventos?busca=11987654321", timeout=20)
        # A proxy may say where the pages are mounted; a visitor on this machine may not.
        forged = {"SCRIPT_NAME": "/forged", "Script-Name": "/forged"}
        assert "/forged" not in requests.get(f"{url}/entrar", headers=forged, timeout=20).text
        assert len(psutil.Process(web.pid).children()) == 1
        web.send_signal(signal.SIGTERM)
        assert web.wait(60) == 0
    log = output.read_text(encoding="utf-8")
    assert "11987654321" not in log
    assert "GET /" not in log
    assert log.count("listening on ") == 1
    assert "Traceback" not in log
