"""`flask user`: the users, and the companies that an operator or a reader sees."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, print_json, print_table
from webhookproxy.cli.shared.values import COMPANY, on_terminal, read_secret
from webhookproxy.config.address import first_access_address, pages_address
from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Company, Grant, User
from webhookproxy.models.accounts.one_time_codes import first_code
from webhookproxy.models.accounts.people import (
    create_user,
    find_user,
    grant,
    hash_password,
    revoke,
)
from webhookproxy.models.accounts.second_factors import turn_off, users_with_it
from webhookproxy.models.accounts.sign_ins import set_password
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.companies import find_company
from webhookproxy.rules.people import check_email

group = Group("user", help="The users, and the companies that they see.")

_from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@group.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Let this user administer every company.")
@click.option("--reader", is_flag=True, help="Let this user only look, with personal data masked.")
@_from_stdin
def create(email: str, admin: bool, reader: bool, password_stdin: bool) -> None:
    """Create a user; asks for the password."""
    if admin and reader:
        raise BadInput("A user is an administrator or a reader: use --admin or --reader.")
    check_email(email)
    hashed = hash_password(_password(password_stdin))

    def job(session: Session) -> str:
        user = create_user(session, email, hashed, admin=admin, reader=reader)
        _record(session, Action.USER_CREATED, user, _role(user))
        return user.email

    click.echo(write(job))


@group.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Show every user."""
    users = _users()
    if as_json:
        print_json(users)
        return
    rows = [
        (
            user["email"],
            user["role"],
            user["second_factor"],
            " ".join(user["companies"]) or None,  # type: ignore[arg-type]
        )
        for user in users
    ]
    empty = "There are no users yet: `flask user create EMAIL --admin` makes one."
    print_table(("EMAIL", "ROLE", "SECOND FACTOR", "COMPANIES"), rows, empty)


@group.command("password")
@click.argument("email")
@_from_stdin
def password(email: str, password_stdin: bool) -> None:
    """Set a new password; asks for it."""
    find_user(db.session(), email)
    hashed = hash_password(_password(password_stdin))

    def job(session: Session) -> str:
        user = find_user(session, email)
        set_password(session, user, hashed, but=None)
        _record(session, Action.PASSWORD_CHANGED, user)
        return user.email

    click.echo(f"{write(job)} has a new password.")


@group.command("reset-second-factor")
@click.argument("email")
def reset_second_factor(email: str) -> None:
    """Let a user who lost the second factor log in with the password alone."""

    def reset(session: Session, user: User) -> bool:
        return turn_off(session, user.id, but=None)

    address, was_on = _change(email, Action.SECOND_FACTOR_CHANGED, "reset", reset)
    click.echo(f"{address} {'no longer has a' if was_on else 'had no'} second factor.")


@group.command("first-code")
def first_code_again() -> None:
    """Print an address, good for one hour, that creates the first administrator."""
    if db.session.scalar(select(User.id).limit(1)) is not None:
        raise BadInput(
            "There is a user already: an administrator creates the others, and "
            "`flask user password EMAIL` sets a forgotten password."
        )
    config = current_app.config
    code = first_code(config["SECRET_KEY"], utc_now())
    click.echo(first_access_address(pages_address(config), code))


@group.command("grant")
@click.argument("email")
@click.argument("company", type=COMPANY)
def grant_company(email: str, company: int) -> None:
    """Let an operator see a company."""
    address, new = _change(email, Action.USER_CHANGED, "granted", grant, company)
    click.echo(f"{address} {'sees' if new else 'already saw'} company_{company}.")


@group.command("revoke")
@click.argument("email")
@click.argument("company", type=COMPANY)
def revoke_company(email: str, company: int) -> None:
    """Take the right to a company away."""
    address, had = _change(email, Action.USER_CHANGED, "revoked", revoke, company)
    click.echo(f"{address} {'no longer has' if had else 'had no'} right to company_{company}.")


def _change(
    email: str, action: Action, detail: str, change: Callable[..., bool], company: int | None = None
) -> tuple[str, bool]:
    """Change a user, and record it if something changed; return the e-mail and whether it did."""

    def job(session: Session) -> tuple[str, bool]:
        user = find_user(session, email)
        given = () if company is None else (find_company(session, company).id,)
        changed = change(session, user, *given)
        if changed:
            _record(session, action, user, detail, company)
        return user.email, changed

    return write(job)


def _record(
    session: Session, action: Action, user: User, detail: str = "", company: int | None = None
) -> None:
    subject, words = f"user_{user.id}", f"{user.email} {detail}".strip()
    record(session, CLI, action, company_id=company, subject=subject, detail=words)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return read_secret("--password-stdin")
    if not on_terminal():
        raise BadInput("The password needs a terminal: use --password-stdin instead.")
    first: str = click.prompt("Password", hide_input=True)
    if click.prompt("The same again", hide_input=True) != first:
        raise BadInput("The two passwords differ: nothing was changed.")
    return first


def _role(user: User) -> str:
    return "administrator" if user.is_admin else "reader" if user.is_reader else "operator"


def _users() -> list[dict[str, object]]:
    live = select(Grant.user_id, Grant.company_id).join(Company, Company.id == Grant.company_id)
    granted: dict[int, list[str]] = {}
    for row in db.session.execute(live.where(Company.deleted_at.is_(None)).order_by(Company.id)):
        granted.setdefault(row.user_id, []).append(f"company_{row.company_id}")
    secured = users_with_it(db.session())
    return [
        {
            "email": user.email,
            "admin": user.is_admin,
            "role": _role(user),
            "second_factor": user.id in secured,
            "companies": granted.get(user.id, []),
        }
        for user in db.session.scalars(select(User).order_by(User.email))
    ]
