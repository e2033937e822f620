"""`flask simulator`: starts the program that plays 3C Plus."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from webhookproxy.cli.shared.errors import Command
from webhookproxy.cli.shared.values import Number

MODULE = "webhookproxy.simulator"


@click.command("simulator", cls=Command)
@click.option("--port", type=Number(int, 0, 65_535), default=4000, help="0: a free one (4000).")
@click.option("--host", default="127.0.0.1", help="Address to listen on (127.0.0.1).")
@click.option("--agents", type=Number(int, 1, 10_000), default=10, help="Per company (10).")
@click.option(
    "--rate", type=Number(float, 0, 10_000), default=5.0, help="Events a second and company (5)."
)
@click.option("--seed", type=Number(int), help="The same number plays the same companies.")
@click.option("--accept", multiple=True, metavar="TOKEN", help="Accept only this; may be repeated.")
def simulator(
    port: int, host: str, agents: int, rate: float, seed: int | None, accept: tuple[str, ...]
) -> None:
    """Play 3C Plus for development: agents and calls that are not real."""
    if importlib.util.find_spec("uvicorn") is None:
        raise click.ClickException("The simulator needs uvicorn: run bin/setup --dev.")
    arguments = [f"--port={port}", f"--host={host}", f"--agents={agents}", f"--rate={rate}"]
    arguments += [] if seed is None else [f"--seed={seed}"]
    arguments += [f"--accept={token}" for token in accept]
    # Another process, because asyncio does not run in this one, which gevent has patched. No shell
    # reads the words, and the user who typed them may run any program anyhow.
    os.execv(sys.executable, [sys.executable, "-m", MODULE, *arguments])  # noqa: S606 # nosec B606
