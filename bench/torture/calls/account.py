"""The account of a trial with calls: how each of them ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.torture.calls.plan import Company, Plan
from bench.torture.stage import Stage
from tests.support.application import rows
from webhookproxy.simulator.records import HISTORY


@dataclass
class Account:
    """The numbers of a trial; `wrong` must be empty."""

    numbers: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the account as a Markdown table."""
        table = [f"| {name} | {value} |" for name, value in self.numbers.items()]
        return ["| | |", "|---|---|", *table, *self.wrong[:20]]


def take(made: Stage, companies: Iterable[Company], plan: Plan) -> Account:
    """Return the account of a trial that is over."""
    account, counts = Account(), Counter[str]()
    for company in companies:
        _take_of(made, company, plan, account, counts)
    query = "SELECT COUNT(*), SUM(CASE WHEN state = 'finished' THEN 1 ELSE 0 END) FROM recoveries"
    asked, finished = rows(made.app, query)[0]
    if asked != finished:
        account.wrong.append(f"of {asked} recoveries only {finished} were finished")
    counts["recoveries"] = asked
    counts["gaps"] = rows(made.app, "SELECT COUNT(*) FROM gaps")[0][0]
    account.numbers |= {name: f"{count:,}" for name, count in counts.items()}
    account.numbers["wrong"] = f"{len(account.wrong):,}"
    return account


def _take_of(
    made: Stage, company: Company, plan: Plan, account: Account, counts: Counter[str]
) -> None:
    query = "SELECT payload, recovered FROM events WHERE company_id = :id AND name = :name"
    found = rows(made.app, query, id=company.number, name=HISTORY)
    stored = Counter(json.loads(row.payload)["callHistory"]["_id"] for row in found)
    recovered = {json.loads(r.payload)["callHistory"]["_id"] for r in found if r.recovered}
    counts["calls"] += len(company.calls)
    counts["stored"] += stored.total()
    counts["recovered"] += len(recovered)
    counts["of these, brought by the socket later"] += len(company.again)
    for name in company.calls:
        again = name in company.again
        if stored[name] != 1 + again:
            account.wrong.append(f"{name} was stored {stored[name]} times")
        for webhook, takes in company.webhooks.items():
            due = int(takes or name not in recovered or again)
            events = company.got[webhook][name]
            counts["deliveries due"] += due
            counts["delivered"] += len(events)
            if len(events) != due:
                account.wrong.append(f"webhook_{webhook}: {name} came in {len(events)} events")
    counts["sent again, with the same id"] += company.requests.total() - sum(
        len(events) for got in company.got.values() for events in got.values()
    )
    rest = made.simulator.state(company.token)["rest"]
    counts["requests for calls"] += rest["requests"]
    # The first and the last may each have been late or early on the way.
    if rest["requests"] > rest["seconds"] / plan.pace + 2:
        account.wrong.append(f"{rest['requests']} requests in {rest['seconds']:.1f} s")
    account.numbers[f"shortest time between two requests, company_{company.number}"] = (
        f"{rest['shortest_pause'] or 0:.2f} s"
    )
