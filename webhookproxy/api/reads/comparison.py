"""A day of a company as 3C Plus lists it, here, and at each webhook: the newest comparison."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.shared.access import company_of
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.extensions import db
from webhookproxy.models.recovery.comparisons import newest_comparison, yesterday
from webhookproxy.models.recovery.differences import named_differences

operations = Operations("comparison", "Comparação com a 3C Plus")


class DayQuery(Given):
    """Which day."""

    day: Annotated[
        date | None, Field(description="O dia, no horário de Brasília. Sem ele, ontem.")
    ] = None


class MissingCall(BaseModel):
    """A call that 3C Plus lists and that did not arrive here; `at`: when it began."""

    call: str
    at: str | None


class LackingEvent(BaseModel):
    """A call that a webhook does not have; without a delivery it was never due to it."""

    event: str | None
    delivery: str | None
    state: str | None


class WebhookCalls(BaseModel):
    """How many calls of the day a webhook got, and the first that it does not have."""

    id: str
    name: str
    delivered: int
    waiting: int
    failed: int
    not_sent: int
    kept_back: int
    lacking: list[LackingEvent]


class Differences(BaseModel):
    """The counts of a day, and the first differences by name.

    `purged` calls arrived, and their events are removed. `is_cut`: there were more calls than were
    compared.
    """

    listed: int
    here: int
    missing_count: int
    purged: int
    only_here_count: int
    is_cut: bool
    missing: list[MissingCall]
    only_here: list[str]
    webhooks: list[WebhookCalls]


class ComparisonAnswer(BaseModel):
    """The newest comparison of a day; `result` null: it runs (`listed` so far), or was given up."""

    day: str
    state: str
    listed: int
    trouble: str | None
    result: Differences | None


@operations.reads(
    "/companies/<company>/comparison", ComparisonAnswer, "Mostra um dia comparado com a 3C Plus"
)
def show_comparison(path: CompanyPath, query: DayQuery) -> ComparisonAnswer:
    """Show what the last comparison of a day found."""
    company_of(path.company)
    session, day = db.session(), query.day or yesterday()
    asked = newest_comparison(session, path.company, day)
    if asked is None:
        raise ApiProblem(404)
    found = asked.compared
    facts = None if found is None else named_differences(session, path.company, found)
    return ComparisonAnswer(
        day=day.isoformat(),
        state=asked.state,
        listed=asked.listed,
        trouble=asked.trouble,
        result=None if facts is None else Differences(**facts),
    )
