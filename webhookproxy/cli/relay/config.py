"""`flask config`: companies and webhooks as a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

import click
from flask import current_app
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import policy, write
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import on_terminal
from webhookproxy.declared.applying import Terms, apply, release
from webhookproxy.declared.changes import Change, Kind
from webhookproxy.declared.exporting import exported
from webhookproxy.declared.files import DeclaredCompany, file_schema, read_file
from webhookproxy.declared.references import resolver
from webhookproxy.declared.yaml_text import CHARACTERS_MAX, write_yaml
from webhookproxy.events.catalog import CATALOG
from webhookproxy.extensions import db
from webhookproxy.models.audit import CLI
from webhookproxy.rules import Refused

group = Group("config", help="Companies and webhooks as a file: webhookproxy.yaml.")

_HEADING = """\
# Companies and webhooks of webhookproxy; `flask config apply FILE` brings them to what is here.
# `stored` keeps a secret that the database has. In its place: a value, env:WEBHOOKPROXY_SECRET_…,
# or file:NAME of the folder of --secrets.
"""
_FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
_SECRETS = click.option(
    "--secrets",
    type=click.Path(path_type=Path),
    help="Folder of the files that file:NAME means.",
)

Companies = dict[str, DeclaredCompany]


class _Undone(Exception):
    """Undoes what was applied, after it was seen."""

    def __init__(self, changes: list[Change]) -> None:
        super().__init__()
        self.changes = changes


@group.command("export")
@click.option("--references", is_flag=True, help="Name a variable in place of each secret.")
def export(references: bool) -> None:
    """Print everything as a file, without secrets."""
    found = exported(db.session(), by_reference=references)
    click.echo(_HEADING + write_yaml(found), nl=False)


@group.command("schema")
def schema() -> None:
    """Print the JSON Schema of the file, for editors."""
    click.echo(json.dumps(file_schema(), ensure_ascii=False, indent=2))


@group.command("diff")
@_FILE
@_SECRETS
def diff(file: Path, secrets: Path | None) -> None:
    """Print what `apply` would change; exits with 1 if that is something."""
    changes = _tried(_read(file, secrets), file)
    _print(changes, applied=False)
    if any(each.kind is not Kind.LEFT for each in changes):
        raise SystemExit(1)


@group.command("apply")
@_FILE
@_SECRETS
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@click.option("--prune", is_flag=True, help="Delete webhooks whose keys left the file.")
@click.option("--yes", is_flag=True, help="Delete them without asking.")
def apply_file(file: Path, secrets: Path | None, dry_run: bool, prune: bool, yes: bool) -> None:
    """Bring companies and webhooks to what the file says: all of it, or nothing."""
    companies = _read(file, secrets)
    delete = _to_delete(_tried(companies, file), ask=not (yes or dry_run)) if prune else []
    if dry_run:
        _print(_tried(companies, file, delete), applied=False)
        return
    terms = _terms()
    try:
        changes = write(lambda session: apply(session, companies, terms, delete))
    except Refused as refused:
        raise _unchanged(refused, file) from None
    _print(changes, applied=True)
    _note_unknown_events(companies)


@group.command("release")
@click.argument("key")
def release_key(key: str) -> None:
    """Have no file manage a company (acme) or a webhook (acme/crm) any more."""
    count = write(lambda session: release(session, key, CLI))
    click.echo(f"{key} is managed by no file now{'' if count == 1 else f' ({count} rows)'}.")


def _read(file: Path, secrets: Path | None) -> Companies:
    resolve = resolver(os.environ, secrets)
    try:
        return read_file(_text(file), resolve, current_app.config["RETENTION_DAYS"])
    except Refused as refused:
        raise _unchanged(refused, file) from None


def _text(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read(CHARACTERS_MAX + 1)
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(CHARACTERS_MAX + 1)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None


def _terms() -> Terms:
    return Terms(CLI, policy(), current_app.config["SOCKET_URL"])


def _tried(companies: Companies, file: Path, delete: Collection[int] = ()) -> list[Change]:
    """Return what applying would change: it is done, and undone before anyone sees it."""
    terms = _terms()

    def job(session: Session) -> None:
        raise _Undone(apply(session, companies, terms, delete))

    try:
        write(job)
    except _Undone as undone:
        return undone.changes
    except Refused as refused:
        raise _unchanged(refused, file) from None
    raise AssertionError("the job always raises")


def _unchanged(refused: Refused, file: Path) -> BadInput:
    """Return the error for a file with mistakes, after a line for each of them."""
    for problem in refused.problems:
        where = problem.field.replace("/", ".")
        note(f"{where}: {problem.english}" if where else problem.english)
    count = len(refused.problems)
    mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
    return BadInput(f"{file} has {mistakes}: nothing was changed.")


def _to_delete(changes: list[Change], *, ask: bool) -> list[int]:
    """Return the webhooks that left the file; with `ask`, once the user agreed to delete them."""
    left = [each for each in changes if each.kind is Kind.LEFT]
    if left and ask:
        for each in left:
            note(f"{each.public_id} ({each.where}) would be deleted, with its waiting deliveries.")
        if not on_terminal():
            raise BadInput("Nothing was changed: repeat the command with --yes to delete them.")
        if not click.confirm("Delete these webhooks?", err=True):
            raise BadInput("Nothing was changed.")
    return [each.number for each in left]


def _print(changes: list[Change], *, applied: bool) -> None:
    for each in changes:
        # What is not created yet has no number.
        has_id = applied or each.kind is not Kind.NEW
        ids = f" ({each.public_id})" if has_id else ""
        details = ("--prune deletes it",) if each.kind is Kind.LEFT else each.details
        text = f"{each.kind.value} {each.subject} {each.where}{ids}"
        click.echo(f"{text}: {', '.join(details)}" if details else text)
    if all(each.kind is Kind.LEFT for each in changes):
        click.echo("Nothing to change: everything is as the file says.")


def _note_unknown_events(companies: Companies) -> None:
    """Say which events are not in the catalogue: they are saved, and may be mistakes."""
    asked = {
        event
        for company in companies.values()
        for webhook in company.webhooks.values()
        for event in webhook.given.get("events") or ()
    }
    for event in sorted(asked - CATALOG.keys()):
        near = get_close_matches(event, CATALOG, n=1)
        hint = f"; do you mean {near[0]}?" if near else "."
        note(f"Note: {event} is not in the catalogue of 3C Plus events{hint}")
