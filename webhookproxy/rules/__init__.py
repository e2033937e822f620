"""The checks of what may be stored: one per subject, for the command line and the forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from webhookproxy.network.guard import DEFAULT_PORTS

NAME_MAX = 120
# Fields of companies and webhooks: those whose value no one is shown, and the addresses.
SECRETS = ("token", "rest_token", "authorization", "secret", "headers")
ADDRESSES = ("url", "socket_url", "rest_url")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an input, in the words of the command line and of the page."""

    field: str
    english: str
    portuguese: str


class Refused(Exception):
    """An input was not stored; it has all the input's problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.english for problem in problems))
        self.problems = problems

    @classmethod
    def one(cls, field: str, english: str, portuguese: str) -> Refused:
        """Return Refused with one problem."""
        return cls([Problem(field, english, portuguese)])


class Problems:
    """Collects problems, so that a form can show all of them at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, field: str, english: str, portuguese: str) -> None:
        """Note one problem of one field."""
        self._found.append(Problem(field, english, portuguese))

    def take(self, refused: Refused) -> None:
        """Note the problems that another check found."""
        self._found.extend(refused.problems)

    def joined(self, refused: Refused) -> Refused:
        """Return all noted problems, and those that another check found, as one Refused."""
        return Refused([*self._found, *refused.problems])

    def raise_any(self) -> None:
        """Raise Refused with all noted problems, if there are any."""
        if self._found:
            raise Refused(self._found)


def refuse_secrets(problem: Problem, address: str, check: Callable[[], object]) -> NoReturn:
    """Raise Refused because a new address wants its secrets again, with all that `check` refuses.

    If the field `address` holds no address, only that is said of it.
    """
    try:
        check()
    except Refused as refused:
        if any(each.field == address for each in refused.problems):
            raise
        raise Refused([problem, *refused.problems]) from None
    raise Refused([problem])


def check_name(given: str, subject: str, problems: Problems) -> str:
    """Return the name, trimmed; `subject` is the thing named, in Portuguese ("do …")."""
    name = given.strip()
    if not name:
        problems.add("name", "The name is empty: give one.", f"Informe o nome {subject}.")
    elif len(name) > NAME_MAX or not name.isprintable():
        problems.add(
            "name",
            f"The name is longer than {NAME_MAX} characters or has control characters.",
            f"O nome passa de {NAME_MAX} caracteres ou tem caracteres de controle.",
        )
    return name


def keeps_secrets(stored: str, given: str, *, same_path: bool) -> bool:
    """Return whether a secret that was given for the address `stored` may go to `given`.

    It may go to the same origin: scheme, host and port. With `same_path` the path and the query
    must be the same too, because a host such as hooks.zapier.com belongs to everyone. A text that
    is no address keeps nothing.
    """
    try:
        old, new = urlsplit(stored.strip()), urlsplit(given.strip())
        same = _origin(old) == _origin(new) and bool(old.hostname)
    except ValueError:
        return False
    return same and (not same_path or _path(old) == _path(new))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _path(parts: SplitResult) -> tuple[str, str]:
    return parts.path or "/", parts.query
