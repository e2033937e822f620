"""Runs the `flask` commands that it reads, one a line, each in a process forked from this one.

See Commands. Nothing of one command is left for the next.
"""

from gevent import monkey

monkey.patch_all()  # as in wsgi.py: before any other import

# ruff: noqa: E402
import json
import os
import signal
import sys
from tempfile import TemporaryFile
from typing import IO, Any

from flask.cli import main

# What wsgi.py imports when it makes the application.
from webhookproxy import cli, web  # noqa: F401

LONGEST_SECONDS = 60


def serve() -> None:
    """Answer each line with the exit code of its command and with what it printed."""
    while line := sys.stdin.readline():
        with TemporaryFile() as typed, TemporaryFile() as printed, TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                _become(json.loads(line), typed, printed, errors)
            _, status = os.waitpid(child, 0)
            said = [_text(printed), _text(errors)]
        print(json.dumps([os.waitstatus_to_exitcode(status), *said]), flush=True)  # noqa: T201


def _become(job: dict[str, Any], typed: IO[bytes], *outputs: IO[bytes]) -> None:
    """Run the command in this process, and end with it."""
    signal.alarm(LONGEST_SECONDS)
    typed.write(job["typed"].encode())
    typed.seek(0)
    for number, file in enumerate((typed, *outputs)):
        os.dup2(file.fileno(), number)
    os.environ.update(job["settings"])
    sys.argv[1:] = job["arguments"]
    main()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    serve()
