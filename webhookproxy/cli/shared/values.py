"""Reads the arguments of commands: ids, numbers and secrets."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from webhookproxy.cli.shared.errors import BadInput

F = TypeVar("F", bound=Callable[..., object])


class PublicId(click.ParamType[int]):
    """`company_12`, or just `12`, as the number 12."""

    name = "id"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        # Eighteen digits fit every database's integer.
        self._form = re.compile(rf"(?:{kind}_)?([1-9][0-9]{{0,17}})", re.ASCII)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; raise BadParameter if it is not such an id."""
        match = self._form.fullmatch(str(value))
        if match is None:
            self.fail(f"is not an id of a {self.kind}: write it as {self.kind}_1.", param, ctx)
        return int(match[1])


class Number(click.ParamType[float]):
    """A whole (`int`) or other (`float`) number, between two limits that may be left out."""

    name = "number"

    def __init__(
        self, kind: type[int] | type[float], low: float | None = None, high: float | None = None
    ) -> None:
        self._kind = kind
        self._low = low
        self._high = high

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; raise BadParameter for another text or outside the limits."""
        try:
            number = self._kind(value)
        except ValueError:
            self.fail(f"{self._rule()}.", param, ctx)
        low, high = self._low, self._high
        # Negated so that NaN is refused too: every comparison with it is false.
        if not (low is None or number >= low) or not (high is None or number <= high):
            self.fail(f"{self._rule()}.", param, ctx)
        return number

    def _rule(self) -> str:
        kind = "a whole number" if self._kind is int else "a number"
        if self._low is None or self._high is None:
            return f"must be {kind}"
        return f"must be {kind} from {self._low} to {self._high}"


# Ids that one command takes: they are changed in one transaction, which must not last long.
IDS_MAX = 1_000


def one_or_more(name: str, kind: PublicId) -> Callable[[F], F]:
    """Return the argument of a command that takes ids, each once; BadInput beyond IDS_MAX.

    Such a command changes all of them or none, and prints a line for each.
    """

    def once(_ctx: click.Context, _param: click.Parameter, given: tuple[int, ...]) -> Sequence[int]:
        ids = tuple(dict.fromkeys(given))
        if len(ids) > IDS_MAX:
            raise BadInput(f"{len(ids)} ids are too many for one command: give {IDS_MAX} at most.")
        return ids

    metavar = f"{kind.kind.upper()}..."
    return click.argument(name, type=kind, nargs=-1, required=True, metavar=metavar, callback=once)


COMPANY = PublicId("company")
GUEST = PublicId("guest")
WEBHOOK = PublicId("webhook")
DELIVERY = PublicId("delivery")
RESEND = PublicId("resend")
TOKEN = PublicId("token")


def with_stdin(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the options; the value of the one that is "-" comes from standard input.

    That keeps a secret out of the shell's history and the list of processes. Raises BadInput if two
    are "-", or nothing comes.
    """
    dashes = [option for option, value in values.items() if value == "-"]
    if len(dashes) > 1:
        raise BadInput(
            f"Only one value can come from standard input, not {' and '.join(dashes)}: set the "
            "other one with another command."
        )
    return {
        option: read_secret(option) if value == "-" else value for option, value in values.items()
    }


def read_secret(what: str) -> str:
    """Return one line of standard input, hidden on a terminal; raise BadInput without a line."""
    if on_terminal():
        return str(click.prompt(f"Value of {what}", hide_input=True))
    line = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not line:
        raise BadInput(f"Nothing came on standard input for {what}: pipe the value into it.")
    if "\n" in line:
        raise BadInput(f"More than one line came on standard input for {what}: send only one.")
    return line


def on_terminal() -> bool:
    """Return whether standard input is a terminal, so that a prompt gets an answer."""
    return sys.stdin.isatty()
