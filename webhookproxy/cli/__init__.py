"""Commands for administrators, all under `flask`."""

from __future__ import annotations

from typing import Any

from flask import Flask

from webhookproxy.cli.shared.lazy import LazyGroup

# Each is imported when it is asked for: a script calls `flask` often, and most of what another
# command needs would take longer to import than this command to run.
_COMMANDS = {
    "alerts": "alerts:group",
    "backup": "maintenance.backups:backup",
    "company": "relay.companies:group",
    "config": "relay.config:group",
    "db": "maintenance.tables:group",
    "delivery": "relay.deliveries:group",
    "guest": "guests:group",
    "keys": "maintenance.keys:group",
    "privacy": "maintenance.privacy:group",
    "restore": "maintenance.backups:restore",
    "search": "maintenance.search:group",
    "shard": "maintenance.shards:group",
    "simulator": "simulator:simulator",
    "status": "status:show",
    "token": "tokens:group",
    "user": "users:group",
    "webhook": "relay.webhooks:group",
}


def init_app(app: Flask) -> None:
    """Register every command, and the names of `flask shell`."""
    app.cli = LazyGroup(
        app.name, lazy={name: f"{__name__}.{where}" for name, where in _COMMANDS.items()}
    )
    app.shell_context_processor(lambda: _names(app))


def _names(app: Flask) -> dict[str, Any]:
    # Imported here: only a shell needs it, and it needs everything.
    from webhookproxy.cli.shell import names

    return names(app)
