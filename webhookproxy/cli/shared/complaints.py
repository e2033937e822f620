"""Whatever goes wrong in a command becomes one sentence on stderr, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.config.keys import KeyringError
from webhookproxy.database.connections import is_migrated
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.extensions import db
from webhookproxy.logs.redaction import Redaction
from webhookproxy.rules import Refused


class BadInput(click.ClickException):
    """What was typed cannot be done; its text is a sentence, its exit code 2."""

    exit_code = 2


class Command(click.Command):
    """A command that explains itself in sentences."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See click; BadInput for what cannot be parsed."""
        with _in_sentences():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """See click; BadInput for what is refused, ClickException if the database is at fault."""
        with _warnings_on_stderr(), _in_sentences():
            return super().invoke(ctx)


class Group(AppGroup):
    """A group of such commands."""

    command_class = Command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See click; BadInput for what cannot be parsed."""
        with _in_sentences():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """See click; BadInput for a command that there is not."""
        with _in_sentences():
            return super().invoke(ctx)


@contextmanager
def _in_sentences() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        raise BadInput(_usage_sentence(error)) from None
    except Refused as refused:
        raise BadInput(str(refused)) from None
    except UnicodeError:
        raise BadInput("A value is not UTF-8 text: type it again.") from None
    except KeyringError as error:
        raise click.ClickException(str(error)) from None
    except (IntegrityError, StaleDataError):
        raise click.ClickException(
            "Somebody else changed the same at this very moment: look at it and try again."
        ) from None
    except (StoreUnavailable, DBAPIError) as error:
        raise click.ClickException(_database_sentence(error)) from None


def _usage_sentence(error: click.UsageError) -> str:
    """Click's complaint in our words; without values, because a value may be a token."""
    path = error.ctx.command_path if error.ctx else "flask"
    see_help = f"`{path} --help` shows how it is written."
    if isinstance(error, click.MissingParameter):
        return f"{_name(error.param)} is missing: {see_help}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error.param)} {error.message}"
    if isinstance(error, click.NoSuchOption):
        return f"There is no option {error.option_name}: {see_help}"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"There is no such command in `{path}`: `{path} --help` shows those there are."
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"Say what `{path}` is to do: `{path} --help` shows the commands."
    if isinstance(error, click.BadOptionUsage):
        return error.message
    # All that is left are words behind the last argument.
    return (
        "There are more words here than the command takes: put a value that has spaces between "
        f"quotes; {see_help}"
    )


def _name(parameter: click.Parameter | None) -> str:
    if parameter is None:
        return "A value"
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _database_sentence(error: Exception) -> str:
    """What is wrong with the database; never its address, which may hold a password."""
    try:
        migrated = is_migrated(db.engine)
    except SQLAlchemyError:
        return (
            "The database cannot be reached: see whether DATABASE_URL is right, its server runs, "
            "and this user may open it."
        )
    if not migrated:
        return "The database has no tables yet: run `flask db upgrade`."
    if isinstance(error, StoreUnavailable):
        return "The database takes no writes: see whether it is locked, full, read-only or gone."
    return (
        f"The database did not do what was asked ({type(error).__name__}): run `flask db upgrade` "
        "in case its tables are older than this program."
    )


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Log warnings as lines of a person's terminal, without what must not be shown."""
    root = logging.getLogger()
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(Redaction())
    # Speaks to who watches a server; a command says the same in a sentence of its own.
    handler.addFilter(lambda record: record.name != "webhookproxy.database.store")
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
