"""The options that `flask webhook create` and `edit` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from webhookproxy.cli.shared.errors import BadInput
from webhookproxy.cli.shared.values import Number, with_stdin
from webhookproxy.events.conditions import Condition
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.rules import Problems
from webhookproxy.rules.formats import chosen_format
from webhookproxy.rules.headers import Header
from webhookproxy.rules.success import CHOICES, chosen_rule
from webhookproxy.rules.webhooks import WebhookState

_FORMATS = [each.value for each in FormatKind]
_STDIN = "- reads it from standard input, so that no list shows it."


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; None, or nothing, stands for an absent one."""
    for option in (
        click.option(
            "--recovered/--no-recovered",
            "takes_recovered",
            default=None,
            help="Whether recovered calls are sent too (default: they are).",
        ),
        click.option("--simulated", is_flag=True, help="Do everything but the POST."),
        click.option("--max-age", type=Number(float), help="Hours an event is retried (72)."),
        click.option("--rate", type=Number(float), help="POSTs a second, at most."),
        click.option("--timeout", type=Number(float), help="Seconds for a whole POST (15)."),
        click.option("--parallelism", type=Number(int), help="POSTs at once; 1: strict order (8)."),
        click.option("--success-text", help="What --success compares with."),
        click.option("--success-path", help="The field of a JSON answer that --success looks at."),
        click.option("--success", help=f"What a 2xx must say too: {', '.join(CHOICES)}."),
        click.option(
            "--header",
            "headers",
            multiple=True,
            help="A header as 'Name: value'; may be repeated. A value of - is read from standard "
            "input, so that no list shows it.",
        ),
        click.option("--secret", help=f"Signs every POST; {_STDIN}"),
        click.option("--auth", help=f"Authorization header; {_STDIN}"),
        click.option("--encoding", help="How the body is written: json (default) or form."),
        click.option("--format", "kind", help=f"The body's format: {', '.join(_FORMATS)}."),
        click.option("--event", "events", multiple=True, help="May be repeated (default: all)."),
    ):
        command = option(command)
    return command


def given_fields(
    *,
    events: tuple[str, ...],
    auth: str | None,
    secret: str | None,
    headers: tuple[str, ...],
    rate: float | None,
    simulated: bool,
    success: str | None,
    success_path: str | None,
    success_text: str | None,
    **others: Any,
) -> dict[str, Any]:
    """Return the given options by the names of WebhookInput."""
    split = [_split(each) for each in headers if each]
    labels = [f"--header {name}" for name, _ in split]
    values = dict(zip(labels, (value for _, value in split), strict=True))
    hidden = with_stdin({"--auth": auth, "--secret": secret, **values})
    fields = {
        "events": events or None,
        "authorization": hidden["--auth"],
        "secret": hidden["--secret"],
        "rate_limit": rate,
        "state": WebhookState.SIMULATED if simulated else None,
        **others,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if headers:
        names = [name for name, _ in split]
        given["headers"] = tuple(
            (name, hidden[label] or "") for name, label in zip(names, labels, strict=True)
        )
    if success is not None:
        given["success_rule"] = _rule(success, success_path, success_text)
    elif success_path is not None or success_text is not None:
        raise BadInput("--success-path and --success-text need --success: give it too.")
    return given


def given_format(before: Format, kind: str | None, encoding: str | None) -> dict[str, Any]:
    """Return the format that was asked for, by its name; nothing if none was."""
    if kind is None and encoding is None:
        return {}
    chosen = chosen_format(kind or before.kind, encoding or before.encoding)
    return {"format": replace(before, kind=chosen.kind, encoding=chosen.encoding)}


def _split(header: str) -> Header:
    name, colon, value = header.partition(":")
    if not colon:
        # Not repeated here: it may be a secret.
        raise BadInput("A --header has no colon: write it as 'Name: value'.")
    return name.strip(), value.strip()


def _rule(success: str, path: str | None, text: str | None) -> Condition | None:
    problems = Problems()
    rule = chosen_rule(success, path or "", text or "", problems)
    problems.raise_any()
    return rule
