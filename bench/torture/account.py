"""The account of a torture: the result of every event that was sent."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bench.torture.past import Past
from bench.torture.stage import Log, Stage
from bench.torture.stream import Sent
from tests.support.application import rows

# An event that left this shortly before or after a gap may belong to it: a dying process may have
# read it without committing it.
MARGIN_MS = 1_000


@dataclass
class Account:
    """The numbers of a torture; the lists of what went wrong must be empty."""

    sent: int = 0
    unheard: int = 0
    in_gaps: int = 0
    stored: int = 0
    deliveries: int = 0
    delivered: int = 0
    doubled: int = 0
    in_flight: int = 0
    gaps: int = 0
    lost: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    # Sent while no socket was open, and in no recorded gap.
    untold: list[str] = field(default_factory=list)
    # Doubled although it was not being sent when a process ended.
    needless: list[str] = field(default_factory=list)
    messages: int = 0
    repeated: int = 0
    # Of the messages to users.
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Return whether the promises held."""
        return not (self.lost or self.disorder or self.needless or self.untold or self.wrong)

    def lines(self) -> list[str]:
        """Return the account as a Markdown table."""
        numbers = {
            "sent": self.sent,
            "of these, with no socket open, or a dead one": self.unheard,
            "of these, into a recorded gap": self.in_gaps,
            "stored": self.stored,
            "gaps recorded": self.gaps,
            "deliveries due": self.deliveries,
            "delivered": self.delivered,
            "in flight when a process ended": self.in_flight,
            "doubled": self.doubled,
            "doubled without having been in flight": len(self.needless),
            "out of order": len(self.disorder),
            "lost": len(self.lost),
            "sent without a socket, and in no recorded gap": len(self.untold),
            "messages to users": self.messages,
            "sent again, because a process ended": self.repeated,
            "closing what was not opened, repeated without need, or with a secret": len(self.wrong),
        }
        table = [f"| {name} | {number:,} |" for name, number in numbers.items()]
        wrong = [*self.lost, *self.untold, *self.disorder, *self.needless, *self.wrong]
        return ["| | |", "|---|---|", *table, *wrong[:20]]


def take(stage: Stage, sent: list[Sent], past: Past) -> Account:
    """Return the account, after the stream has ended and nothing waits."""
    account = Account(sent=len(sent), in_flight=past.in_flight.total())
    account.messages, account.repeated = len(stage.told.receipts), stage.told.repeated
    account.wrong += stage.told.faults(past.ends)
    stored = _stored(stage, account)
    _check_stored(stage, account, sent, stored, past)
    for log in stage.logs:
        mine = {row["public_id"]: row for row in stored if row["company"] == log.company_id}
        account.deliveries += len(mine)
        account.delivered += len(mine.keys() & log.accepted.keys())
        for identity in mine.keys() - log.accepted.keys():
            ended = _ended(stage, log.webhook_id, identity)
            account.lost.append(f"webhook_{log.webhook_id}: {identity} was never accepted: {ended}")
        _check_doubled(stage, account, log, past)
        _check_order(account, log.webhook_id, [mine[each] for each in log.first if each in mine])
    return account


def _stored(stage: Stage, account: Account) -> list[dict[str, Any]]:
    query = "SELECT id, public_id, company_id, payload FROM events WHERE name <> '' ORDER BY id"
    found = []
    seen: set[tuple[int, int]] = set()
    for row in rows(stage.app, query):
        stamped = json.loads(row.payload)
        if (row.company_id, stamped["seq"]) in seen:
            account.needless.append(f"company_{row.company_id}: {stamped['seq']} was stored twice")
        seen.add((row.company_id, stamped["seq"]))
        found.append({"id": row.id, "public_id": row.public_id, **stamped})
    account.stored = len(found)
    return found


def _ended(stage: Stage, webhook_id: int, identity: str) -> str:
    query = (
        "SELECT d.state, d.reason, d.tries FROM deliveries d JOIN events e ON e.id = d.event_id"
        " WHERE d.webhook_id = :webhook AND e.public_id = :event"
    )
    row = rows(stage.app, query, webhook=webhook_id, event=identity)[0]
    return f"{row.state}, {row.reason}, after {row.tries} tries"


def _check_stored(
    stage: Stage, account: Account, sent: list[Sent], stored: list[dict[str, Any]], past: Past
) -> None:
    to_monotonic = time.monotonic() - time.time()
    known = {(row["company"], row["seq"]) for row in stored}
    gaps: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows(stage.app, "SELECT company_id, started_at, ended_at FROM gaps"):
        gaps[row.company_id].append((row.started_at, row.ended_at or 2**62))
        account.gaps += 1
    for each in sent:
        if (each.company, each.seq) in known:
            continue
        covered = any(
            start - MARGIN_MS <= each.left_ms and each.at_ms <= end + MARGIN_MS
            for start, end in gaps[each.company]
        )
        if not each.heard:
            account.unheard += 1
            if not covered:
                account.untold.append(f"company_{each.company}: {each.seq} fell into no gap")
        elif covered:
            account.in_gaps += 1
        else:
            after = past.after(each.at_ms / 1000 + to_monotonic)
            account.lost.append(f"company_{each.company}: {each.seq}, {after}, was not stored")


def _check_doubled(stage: Stage, account: Account, log: Log, past: Past) -> None:
    query = (
        "SELECT e.public_id FROM attempts a JOIN deliveries d ON d.id = a.delivery_id"
        " JOIN events e ON e.id = d.event_id WHERE d.webhook_id = :id AND a.reason = 'accepted'"
        " GROUP BY e.public_id HAVING COUNT(*) > 1"
    )
    for row in rows(stage.app, query, id=log.webhook_id):
        account.needless.append(f"webhook_{log.webhook_id}: {row[0]} was seen accepted twice")
    for identity, times in log.accepted.items():
        account.doubled += len(times) - 1
        if len(times) - 1 > past.in_flight[log.webhook_id, identity]:
            after = ", ".join(past.after(at) for at in times)
            account.needless.append(f"webhook_{log.webhook_id}: {identity} was accepted {after}")


def _check_order(account: Account, webhook_id: int, firsts: list[dict[str, Any]]) -> None:
    """Note each first receipt of a key that did not come in the order of sending."""
    last: dict[int, int] = {}
    for row in firsts:
        key = row["agent"]["id"]
        if row["seq"] < last.get(key, 0):
            account.disorder.append(f"webhook_{webhook_id}: {row['seq']} came after {last[key]}")
        last[key] = max(row["seq"], last.get(key, 0))
