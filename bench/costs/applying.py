"""`python -m bench.costs.applying`: how long `flask config apply` takes for 300 webhooks.

The file is read, compared and applied in this process, on a new SQLite file: all of it new, then
without a change, then with one field of each webhook changed. The best of several runs counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import flask_migrate
from flask import Flask

from bench.rows import at_most, conclude
from webhookproxy import create_app
from webhookproxy.database.migrate import migrations
from webhookproxy.declared.applying import Terms, apply
from webhookproxy.declared.files import read_file
from webhookproxy.declared.yaml_text import write_yaml
from webhookproxy.models.audit import CLI

FLOOR_S, GOAL_S = 5.0, 2.0
COMPANIES = 60
ROWS = 10


def main() -> int:
    """Measure. Return 0, or 1 if it takes too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs.applying")
    parser.add_argument("--webhooks", type=int, default=300, help="in the file (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default 3)")
    arguments = parser.parse_args()
    rounds = [_measured(arguments.webhooks) for _ in range(arguments.rounds)]
    found = [
        at_most(f"seconds for {arguments.webhooks} webhooks: {name}", min(times), FLOOR_S, GOAL_S)
        for name, *times in zip(("all new", "no change", "all changed"), *rounds, strict=True)
    ]
    return conclude(found)


def _measured(webhooks: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        app = _prepared(Path(folder))
        first, changed = _file(webhooks, timeout=15), _file(webhooks, timeout=20)
        times = [_seconds(app, each) for each in (first, first, changed)]
        app.extensions["store"].close()
    return times


def _prepared(folder: Path) -> Flask:
    keys = {"SECRET_KEY": "s" * 40, "DATA_KEYS": "d" * 40, "INSTANCE_PATH": str(folder)}
    app = create_app({**keys, "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite'}"})
    with app.app_context():
        migrations(app)
        flask_migrate.upgrade()
    return app


def _file(webhooks: int, timeout: int) -> str:
    """Return a file of 60 companies, whose webhooks have secrets, filters and mapped bodies."""
    body = [{"name": f"f{each}", "paths": ["call.phone"]} for each in range(ROWS)]
    condition = {"path": "call.status", "operator": "igual", "value": "7"}
    webhook = {
        "secret": "s" * 40,
        "timeout": timeout,
        "events": ["call-was-connected", "call-was-finished"],
        "filters": {"call-was-finished": [condition]},
        "format": {"kind": "montado", "rows": body},
    }
    companies = {
        f"company-{number}": {
            "token": f"token-{number}",
            "webhooks": {
                f"webhook-{each}": {**webhook, "url": f"https://crm{each}.example.com/"}
                for each in range(number, webhooks, COMPANIES)
            },
        }
        for number in range(COMPANIES)
    }
    return write_yaml({"version": 1, "companies": companies})


def _seconds(app: Flask, text: str) -> float:
    """Read and apply a file; return how long it takes."""
    began = time.monotonic()
    terms = Terms(CLI, app.extensions["policy"], app.config["SOCKET_URL"])
    companies = read_file(text, str, app.config["RETENTION_DAYS"])
    app.extensions["store"].session(lambda session: apply(session, companies, terms))
    return time.monotonic() - began


if __name__ == "__main__":
    raise SystemExit(main())
