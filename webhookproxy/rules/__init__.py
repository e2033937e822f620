"""What may be stored: one check per subject, shared by the command line and the forms."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

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


def same_host(one: str, other: str) -> bool:
    """Whether two addresses lead to one host; what is no address leads nowhere."""
    return _host(one) is not None and _host(one) == _host(other)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url.strip()).hostname
    except ValueError:
        return None
