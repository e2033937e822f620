"""The filter and the order in the address of the list of companies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort
from werkzeug.datastructures import MultiDict

from webhookproxy.models import Company
from webhookproxy.web.companies.problems import Problem, State
from webhookproxy.web.shared.address import query_of

# By the word in the address: the name on the page.
STATES = {
    "": "Todas",
    "com-problema": "Com problema",
    "conectadas": "Conectadas",
    "silenciosas": "Silenciosas",
}
ORDERS = {"nome": "Por nome", "pior": "Piores primeiro"}


@dataclass(frozen=True, slots=True)
class CompanyFilter:
    """Which companies are listed, and in which order; `cause` is that of a group of problems."""

    search: str = ""
    state: str = ""
    cause: str = ""
    order: str = "nome"

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> CompanyFilter:
        """Return the filter in an address. Answers 404 to words that do not exist."""
        state, cause = args.get("estado", ""), args.get("causa", "")[:80]
        order = args.get("ordem", "") or ("pior" if state == "com-problema" or cause else "nome")
        if state not in STATES or order not in ORDERS:
            abort(404)
        return cls(args.get("busca", "").strip()[:120], state, cause, order)

    @property
    def is_narrow(self) -> bool:
        """Return whether not all companies are listed."""
        return bool(self.search or self.state or self.cause)

    def query(self, **changed: str) -> str:
        """Return the address's query with some fields changed."""
        fields: dict[str, str | None] = {
            "busca": self.search,
            "estado": self.state,
            "causa": self.cause,
            **changed,
        }
        return query_of(fields)

    def problems_of(self, state: State, company: Company) -> list[Problem]:
        """Return the problems of a company that the filter asks for."""
        problems = state.problems[company.id]
        return [each for each in problems if not self.cause or each.alike == self.cause]

    def chosen(self, state: State) -> list[Company]:
        """Return the companies to list, in their order."""
        found = [company for company in state.companies if self._takes(state, company)]
        if self.order == "pior":
            # Companies without a problem stay in the order of their names.
            found.sort(key=lambda each: _badness(self.problems_of(state, each)))
        return found

    def _takes(self, state: State, company: Company) -> bool:
        shown = state.connections[company.id]
        if self.cause or self.state == "com-problema":
            return bool(self.problems_of(state, company))
        if self.state == "silenciosas":
            return shown.silence is not None
        return self.state != "conectadas" or shown.is_connected


def _badness(problems: Sequence[Problem]) -> tuple[object, ...]:
    return (0, *problems[0].order) if problems else (1,)
