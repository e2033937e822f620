"""The demo's programs: the simulator, the commands and the server, each in its own process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class DemoError(Exception):
    """A part of the demo did not work; the text says which."""


class Program:
    """A process whose output is kept, and printed line by line if wanted."""

    def __init__(self, *command: str, environment: dict[str, str], shown: bool = False) -> None:
        self.lines: list[str] = []
        self._shown = shown
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for_line(self, beginning: str) -> str:
        """Return the rest of the first line with this beginning; DemoError if the program ends."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for line in list(self.lines):
                if line.startswith(beginning):
                    return line.removeprefix(beginning).strip()
            time.sleep(0.02)
        raise DemoError("".join(self.lines) or "a program of the demo ended without a word")

    def check_alive(self) -> None:
        """Raise DemoError with its last output if it has ended."""
        if self._process.poll() is not None:
            raise DemoError("the server ended:\n" + "".join(self.lines[-20:]))

    def stop(self) -> None:
        """Ask it to end, wait, and kill it if it has not ended."""
        self._process.terminate()
        try:
            self._process.wait(25)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.lines.append(line)
            if self._shown:
                print(line, end="", flush=True)


def flask(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> str:
    """Run one of our commands; return its output. Raise DemoError with it if it failed."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )
    if done.returncode != 0:
        raise DemoError(f"flask {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def post_json(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST to the simulator's control and return its answer."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urlopen(request, timeout=300) as answer:  # noqa: S310 - loopback
        result: dict[str, Any] = json.load(answer)
    return result


def wait_until_connected(url: str, server: Program) -> None:
    """Wait until /saude says that the company's socket is connected."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        server.check_alive()
        try:
            with urlopen(f"{url}/saude", timeout=5) as answer:  # noqa: S310 - loopback
                if json.load(answer)["sockets"]["connected"] == 1:
                    return
        except (URLError, OSError, KeyError):
            pass
        time.sleep(0.1)
    raise DemoError("the company did not connect:\n" + "".join(server.lines[-20:]))


def free_port() -> int:
    """Return a port on which no program listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
