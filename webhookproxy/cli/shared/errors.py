"""Every error of a command becomes one sentence on stderr, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.cli.shared.lazy import LazyGroup
from webhookproxy.config.keys import KeyringError
from webhookproxy.database.schema import is_current, revision_of
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.extensions import db
from webhookproxy.logs.redaction import Redaction
from webhookproxy.rules import Refused


class BadInput(click.ClickException):
    """The input cannot be used; the text is a sentence, the exit code 2."""

    exit_code = 2


class _InSentences(click.Command):
    """Raises BadInput for wrong or refused input, ClickException for errors of the database."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _in_sentences():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_sentences():
            return super().invoke(ctx)


class Command(_InSentences):
    """A command whose errors and warnings are sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        with _warnings_on_stderr():
            return super().invoke(ctx)


class Group(_InSentences, LazyGroup):
    """A group of such commands."""

    command_class = Command


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
    except (KeyringError, NewerVersion) as error:
        raise click.ClickException(str(error)) from None
    except (IntegrityError, StaleDataError):
        raise click.ClickException(
            "Another user changed the same at this moment: look at it and try again."
        ) from None
    except (StoreUnavailable, DBAPIError) as error:
        raise click.ClickException(_database_sentence(error)) from None


def _usage_sentence(error: click.UsageError) -> str:
    """Return click's error in our words, without values: a value may be a token."""
    path = error.ctx.command_path if error.ctx else "flask"
    see_help = f"`{path} --help` shows how it is written."
    if isinstance(error, click.MissingParameter):
        return f"{_name(error.param)} is missing: {see_help}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error.param)} {error.message}"
    if isinstance(error, click.NoSuchOption):
        return f"There is no option {error.option_name}: {see_help}"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"There is no such command in `{path}`: `{path} --help` shows the commands."
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"Name a command of `{path}`: `{path} --help` shows them."
    if isinstance(error, click.BadOptionUsage):
        return error.message
    # The only other usage error: words after the last argument.
    return (
        "You gave more words than the command takes: put a value that has spaces between quotes; "
        f"{see_help}"
    )


def _name(parameter: click.Parameter | None) -> str:
    if parameter is None:
        return "A value"
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _database_sentence(error: Exception) -> str:
    """Return what is wrong with the database, without its address: it may hold a password."""
    try:
        with db.engine.connect() as connection:
            revision, current = revision_of(connection), is_current(connection)
    except SQLAlchemyError:
        return (
            "The database cannot be reached: check that DATABASE_URL is right, that its server "
            "runs, and that this user may open it."
        )
    if revision is None:
        return "The database has no tables yet: run `flask db upgrade`."
    if not current:
        return "The tables are older than this program: run `flask db upgrade`."
    if isinstance(error, StoreUnavailable):
        return "The database takes no writes: check whether it is locked, full, read-only or gone."
    return f"The database refused a statement ({type(error).__name__}): try it again."


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Print the log's warnings to the terminal, redacted."""
    root = logging.getLogger()
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(Redaction())
    # This logger writes for a server's log; a command says the same in its own sentence.
    handler.addFilter(lambda record: record.name != "webhookproxy.database.store")
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
