"""`flask token`: the tokens with which programs use the API."""

from __future__ import annotations

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import Group
from webhookproxy.cli.shared.output import json_option, print_json, print_table
from webhookproxy.cli.shared.values import COMPANY, TOKEN, Number
from webhookproxy.extensions import db
from webhookproxy.models import ApiToken, User
from webhookproxy.models.accounts.api_tokens import (
    DAYS_MAX,
    Scope,
    find_api_token,
    make_api_token,
)
from webhookproxy.models.accounts.people import find_user
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.companies import find_company

group = Group("token", help="The tokens with which programs use the API.")
_COLUMNS = ("id", "user", "name", "scopes", "companies", "valid", "ends", "used")


@group.command("add")
@click.argument("email")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([each.value for each in Scope]),
    help="What it may do; may be repeated (default: read).",
)
@click.option("--company", "companies", multiple=True, type=COMPANY, help="Only this; repeatable.")
@click.option("--days", type=Number(int, 1, DAYS_MAX), default=90, help="How long it is valid.")
def add(
    email: str, name: str, scopes: tuple[str, ...], companies: tuple[int, ...], days: int
) -> None:
    """Make a token that acts for a user; prints it, and nothing can show it again."""

    def job(session: Session) -> str:
        user = find_user(session, email)
        chosen = [find_company(session, each).id for each in companies] or None
        token, text = make_api_token(session, user, name, list(map(Scope, scopes)), days, chosen)
        about = f"token_{token.id}"
        record(session, CLI, Action.API_TOKEN_MADE, subject=about, detail=token.scopes)
        return text

    click.echo(write(job))


@group.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """Show every token; its text is shown only once, where it is made."""
    query = select(ApiToken, User.email).join(User, User.id == ApiToken.user_id)
    tokens = [
        {
            "id": f"token_{token.id}",
            "user": email,
            "name": token.name,
            "scopes": token.scopes.split(),
            "companies": None
            if token.company_ids is None
            else [f"company_{each}" for each in token.company_ids],
            "valid": token.is_valid,
            "ends": token.ended_at.isoformat(timespec="seconds"),
            "used": None if token.used_at is None else token.used_at.isoformat(timespec="seconds"),
        }
        for token, email in db.session.execute(query.order_by(ApiToken.id.desc()))
    ]
    if as_json:
        print_json(tokens)
        return
    rows = [
        tuple(
            " ".join(value) if isinstance(value, list) else value
            for value in map(token.get, _COLUMNS)
        )
        for token in tokens
    ]
    empty = "There are no tokens: `flask token add EMAIL NAME` makes one."
    print_table(tuple(each.upper() for each in _COLUMNS), rows, empty)


@group.command("revoke")
@click.argument("token", type=TOKEN)
def revoke(token: int) -> None:
    """End a token at once."""

    def job(session: Session) -> bool:
        done = find_api_token(session, token).revoke()
        if done:
            record(session, CLI, Action.API_TOKEN_REVOKED, subject=f"token_{token}")
        return done

    click.echo(f"token_{token} {'is revoked' if write(job) else 'had ended'}.")
