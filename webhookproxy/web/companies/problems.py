"""What is wrong with companies: their connections and their webhooks, grouped by what is alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import gevent
from sqlalchemy.orm import Session

from webhookproxy.models import Company
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.reasons import ConnectionState
from webhookproxy.troubles.now import Trouble, TroubleKind
from webhookproxy.troubles.words import trouble_name
from webhookproxy.web.connection.panel import Shown, shown_now
from webhookproxy.web.shared.formats import plural
from webhookproxy.web.webhooks.words import ShownWebhook, shown_webhook, with_answers

# Companies whose webhooks are read at a stretch.
AT_ONCE = 25
# A company's problems that a list shows; its page has the others.
OF_COMPANY = 3
_SILENT = "silenciosa"
_CONNECTION_NAMES = {
    ConnectionState.TOKEN_REFUSED: ("token-recusado", "Token recusado"),
    ConnectionState.RECONNECTING: ("reconectando", "Reconectando"),
}
_KINDS = {
    TroubleKind.FAILING: "falhando",
    TroubleKind.PAUSED: "pausado",
    TroubleKind.REFUSING: "recusando",
    TroubleKind.BEHIND: "atrasado",
}
# The worst first: without a socket everything of a company is lost.
_RANKS = ("token-recusado", "reconectando", *_KINDS.values(), _SILENT)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the user should look at: a company's connection, or one of its webhooks.

    Problems with the same `alike` have the same cause; `kind` is its first word.
    """

    company: Company
    kind: str
    alike: str
    name: str
    since: datetime
    connection: Shown | None = None
    webhook: ShownWebhook | None = None

    @property
    def waiting(self) -> int:
        """The number of deliveries that the problem holds up."""
        return self.webhook.webhook.health.waiting if self.webhook else 0

    @property
    def order(self) -> tuple[int, int, datetime, int]:
        """The place among other problems: by kind, then what holds up most, then the oldest."""
        return _RANKS.index(self.kind), -self.waiting, self.since, self.company.id


@dataclass(frozen=True, slots=True)
class Group:
    """Problems that are alike, the worst of them first."""

    problems: Sequence[Problem]

    @property
    def worst(self) -> Problem:
        """The problem to look at first."""
        return self.problems[0]

    @property
    def title(self) -> str:
        """Return the cause and how many have it, such as "Token recusado em 31 empresas"."""
        count = len(self.problems)
        if self.worst.webhook:
            return f"{self.worst.name} em {plural(count, 'webhook', 'webhooks')}"
        return f"{self.worst.name} em {plural(count, 'empresa', 'empresas')}"


@dataclass(frozen=True, slots=True)
class State:
    """Companies with their connections, their webhooks and their problems, by number."""

    companies: Sequence[Company]
    connections: dict[int, Shown]
    webhooks: dict[int, list[ShownWebhook]]
    problems: dict[int, list[Problem]]

    @property
    def all_problems(self) -> list[Problem]:
        """All problems, the worst first."""
        found = [each for problems in self.problems.values() for each in problems]
        return sorted(found, key=lambda each: each.order)


def state_of(session: Session, companies: Sequence[Company]) -> State:
    """Read the state of these companies, of many at once. Others run meanwhile."""
    connections = shown_now(session, companies)
    webhooks: dict[int, list[ShownWebhook]] = {company.id: [] for company in companies}
    problems: dict[int, list[Problem]] = {}
    for begins in range(0, len(companies), AT_ONCE):
        # SQLite does not yield: what hundreds of webhooks do must not hold up the sockets.
        gevent.sleep(0)
        some = {company.id: company for company in companies[begins : begins + AT_ONCE]}
        for row in live_webhooks(session, some):
            shown = shown_webhook(row, some[row.company_id].timezone)
            webhooks[row.company_id].append(shown)
        for number, company in some.items():
            found = _problems(company, connections[number], webhooks[number])
            problems[number] = sorted(found, key=lambda each: each.order)
    gevent.sleep(0)
    return State(companies, connections, webhooks, problems)


def grouped(problems: Iterable[Problem]) -> list[Group]:
    """Group problems that are alike; the worst kinds come first, then the largest groups."""
    alike: dict[str, list[Problem]] = {}
    for problem in sorted(problems, key=lambda each: each.order):
        alike.setdefault(problem.alike, []).append(problem)
    groups = [Group(found) for found in alike.values()]
    groups.sort(key=lambda group: (_RANKS.index(group.worst.kind), -len(group.problems)))
    return groups


def answered(session: Session, problems: Sequence[Problem]) -> list[Problem]:
    """Return the same problems; those of webhooks have the receivers' last answers."""
    told = with_answers(session, [each.webhook for each in problems if each.webhook])
    by_webhook = {each.webhook.id: each for each in told}
    return [
        replace(each, webhook=by_webhook[each.webhook.webhook.id]) if each.webhook else each
        for each in problems
    ]


def _problems(
    company: Company, connection: Shown, webhooks: Sequence[ShownWebhook]
) -> list[Problem]:
    found = [_of_webhook(company, each, each.trouble) for each in webhooks if each.trouble]
    if connection.silence is not None:
        since = connection.silence.since
        name = "Conectada, mas sem eventos"
        found.append(Problem(company, _SILENT, _SILENT, name, since, connection=connection))
    elif connection.is_problem:
        kind, name = _CONNECTION_NAMES[connection.state]
        found.append(Problem(company, kind, kind, name, connection.since, connection=connection))
    return found


def _of_webhook(company: Company, shown: ShownWebhook, trouble: Trouble) -> Problem:
    kind = _KINDS[trouble.kind]
    parts = [kind, trouble.reason.value if trouble.reason else "", str(trouble.status or "")]
    alike = kind if trouble.kind is TroubleKind.BEHIND else "-".join(filter(None, parts))
    name = trouble_name(trouble)
    return Problem(company, kind, alike, name, trouble.since, webhook=shown)
