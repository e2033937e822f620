"""The server's processes for administrators: which own the sockets, and how much each does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Blueprint, abort, current_app, render_template, url_for
from werkzeug.wrappers import Response

from webhookproxy.database.fence import shares_with
from webhookproxy.engine.liveness import wished_of
from webhookproxy.engine.owners import read_owners
from webhookproxy.engine.processes.listing import Listed, list_processes
from webhookproxy.extensions import db
from webhookproxy.models.installation.processes import Role
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import account, administrators

blueprint = Blueprint("processes", __name__)

# The name, the drawing and the colour of each role.
LOOKS = {
    Role.OWNER.value: ("Dono das conexões", "plug-connected", "green"),
    Role.STANDBY.value: ("Esperando", "hourglass", "blue"),
    Role.PAGES.value: ("Só páginas", "list", "grey"),
}
SILENT = ("Sem sinal", "alert-triangle", "red")
_PARTS = {"processos": "admin/_processes.html"}


@blueprint.get("/processos")
@administrators
def show() -> str:
    """Show every process that gave a sign of life in the last minutes."""
    return render_template("admin/processes.html", live_url=url_for("processes.watch"), **_facts())


@blueprint.get("/processos/ao-vivo")
@administrators
def watch() -> Response:
    """Stream the processes as they change."""
    # No company's change: what processes write is looked at every few seconds.
    return live.stream(_facts, _PARTS, frozenset())


def _facts() -> dict[str, Any]:
    # An administrator may have become an operator while the page is open.
    if not account().is_admin:
        abort(404)
    session = db.session()
    owners = read_owners(session)
    count = owners.shares(current_app.config["SHARES"])
    processes = list_processes(session, owners)
    living = [each for each in processes if each.lives]
    return {
        "processes": processes,
        "look_of": _look_of,
        "owners": [each.process for each in processes if each.is_owner],
        "share_count": count,
        "shares_of": partial(shares_with, count=count),
        "missing": shares_with(owners.missing, count),
        "without_owner": wished_of(session, owners.missing) if owners.missing else 0,
        "waiting": sum(each.role == Role.STANDBY for each in living),
        "versions": _versions(living),
    }


def _look_of(listed: Listed) -> tuple[str, str, str]:
    """Return the name, the drawing and the colour of what a process does."""
    if not listed.lives:
        return SILENT
    role = listed.role
    # A newer version of the program may have written it.
    return LOOKS.get(role, (role, "list", "grey"))


def _versions(living: Sequence[Listed]) -> list[str]:
    return sorted({each.process.version for each in living})
