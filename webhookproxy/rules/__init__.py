"""What may be stored: one check per subject, shared by the command line and the forms."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from webhookproxy.network.guard import DEFAULT_PORTS

NAME_MAX = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input, in the words of the command line and of the page."""

    field: str
    english: str
    portuguese: str


class Refused(Exception):
    """An input that was not stored, with everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.english for problem in problems))
        self.problems = problems

    @classmethod
    def one(cls, field: str, english: str, portuguese: str) -> Refused:
        """Refused for a single problem."""
        return cls([Problem(field, english, portuguese)])


class Problems:
    """Collects what is wrong, so that a form can show it all at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, field: str, english: str, portuguese: str) -> None:
        """Note one problem of one field."""
        self._found.append(Problem(field, english, portuguese))

    def take(self, refused: Refused) -> None:
        """Note what another check refused."""
        self._found.extend(refused.problems)

    def raise_any(self) -> None:
        """Refused with all that was noted; nothing if nothing was."""
        if self._found:
            raise Refused(self._found)


def check_name(given: str, subject: str, problems: Problems) -> str:
    """The name, trimmed; `subject` is what it names, in Portuguese with its article ("do …")."""
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
