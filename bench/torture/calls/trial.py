"""Sockets are cut and servers killed while calls end, and 3C Plus answers oddly over REST.

`bin/torture --calls N`: N cuts of each company's socket. Every call must be stored once, and
delivered once to each webhook that wants it.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
from sqlalchemy import text

from bench.torture.calls.account import Account, take
from bench.torture.calls.plan import AGAIN, LONG, SHORT, Company, Plan
from bench.torture.stage import Stage, stage
from tests.support.application import make_company, make_webhook, rows, store_of
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.events.catalog import CATALOG
from webhookproxy.simulator.records import HISTORY

COMPANIES = 2
# Of the three webhooks of each company the last takes no recovered calls.
PARALLELISM = (8, 1, 8)
# What may be odd for longer, and how single requests are answered.
FORMS: tuple[dict[str, Any], ...] = (
    {"texts": True},
    {"twice": True, "page_size": 7},
    {"page_size": 30, "texts": True, "twice": True},
)
ANSWERS: tuple[dict[str, Any], ...] = (
    {"empty": True},
    {"cut": True},
    {"status": 422},
    {"status": 429, "retry_after": 1},
    {"status": 524},
)


_EARLIER = text(
    "INSERT INTO hourly_events (company_id, hour, name, count) VALUES (:company, :hour, 'x', 1)"
)


class Trial:
    """The processes, the calls that end meanwhile, and the faults."""

    def __init__(self, made: Stage, plan: Plan, seed: int) -> None:
        self._made = made
        self._plan = plan
        self._random = random.Random(seed)
        self._is_over = False
        self.companies = [self._company(number) for number in range(COMPANIES)]

    def run(self) -> bool:
        """Run the trial; return whether all recoveries and deliveries ended."""
        self._start_server()
        self._wait_for_sockets()
        calls = [gevent.spawn(self._call, company) for company in self.companies]
        answers = [gevent.spawn(self._answer_oddly)]
        for number in range(self._plan.cuts):
            self._cut(0 if number else self._plan.flood)
            self._pause()
            if number < self._plan.kills:
                self._made.servers.pop().kill()
                self._start_server()
            self._wait_for_sockets()
            self._pause()
        self._is_over = True
        for greenlets in (calls, answers):
            gevent.joinall(greenlets, timeout=60, raise_error=True)
        for company in self.companies:
            self._control("rest", company)
        return self._is_settled() and self._bring_again() and self._is_settled()

    def _company(self, number: int) -> Company:
        made, token = self._made, f"torture-calls-{number:04}"
        company = Company(token, make_company(made.app, made.simulator.url, token, connected=True))
        # Nothing is asked for that is older than a company's first event.
        given = {"company": company.number, "hour": int(time.time()) // 3600 - 1}
        store_of(made.app).run(lambda connection: connection.execute(_EARLIER, given) and None)
        for parallelism, takes in zip(PARALLELISM, (True, True, False), strict=True):
            receiver = made.stack.enter_context(Receiver())
            webhook = make_webhook(
                made.app,
                company.number,
                receiver.url(),
                parallelism=parallelism,
                takes_recovered=takes,
                events=(HISTORY,),
            )
            company.webhooks[webhook], company.got[webhook] = takes, defaultdict(set)
            receiver.answer = self._taking(receiver, company, webhook)
        return company

    def _taking(
        self, receiver: Receiver, company: Company, webhook: int
    ) -> Callable[[Received], Plain]:
        def answer(request: Received) -> Plain:
            body = json.loads(request.body)
            receiver.requests.clear()
            name = body["payload"]["callHistory"]["_id"]
            company.got[webhook][name].add(body["meta"]["event_id"])
            company.requests[name] += 1
            # Accepted and not answered: a kill in this moment repeats it.
            gevent.sleep(self._random.uniform(0.0, 0.03))
            return OK

        return answer

    def _call(self, company: Company) -> None:
        """Let calls end, one after the other."""
        while not self._is_over:
            name = f"{company.number}-{len(company.calls)}"
            company.calls.append(name)
            self._emit(company, name)
            gevent.sleep(self._random.uniform(0.5, 1.5) / self._plan.rate)

    def _cut(self, flood: int) -> None:
        """Leave each company's socket dead for a moment, and cut it."""
        for company in self.companies:
            self._control("silence", company, pings=False)
        gevent.sleep(self._random.uniform(0.2, 1.0))
        if flood:
            names = [f"flood-{number}" for number in range(flood)]
            self.companies[0].calls.extend(names)
            # As long before the gap as is asked for: the recoveries of later gaps do not list them.
            began = time.time() - 14 * 60 - 50
            self._control("record", self.companies[0], calls=dict.fromkeys(names, began))
        for company in self.companies:
            self._control("drop", company)

    def _answer_oddly(self) -> None:
        """Answer oddly over REST: most of the time in form, and now and then with nothing."""
        for form, nothing in zip(itertools.cycle(FORMS), itertools.cycle(ANSWERS), strict=False):
            for company in self.companies:
                self._control("rest", company, count=2, **nothing)
            gevent.sleep(self._plan.pace * 4)
            late = self._random.choice((0.0, self._plan.late))
            for company in self.companies:
                self._control("rest", company, late=late, **form)
            gevent.sleep(self._plan.pace * 8)
            if self._is_over:
                return

    def _bring_again(self) -> bool:
        """Have the sockets bring some calls that were recovered; return whether that was stored."""
        query = "SELECT company_id, history_id FROM call_histories WHERE recovered"
        found = rows(self._made.app, query)
        for company in self.companies:
            mine = sorted(row.history_id for row in found if row.company_id == company.number)
            company.again = frozenset(mine[:AGAIN])
            for name in company.again:
                self._emit(company, name)
        told = "SELECT COUNT(*) FROM call_histories WHERE recovered"
        left = len(found) - sum(len(company.again) for company in self.companies)
        return self._is_true(lambda: rows(self._made.app, told)[0][0] == left)

    def _emit(self, company: Company, name: str) -> None:
        sample: Any = CATALOG[HISTORY].sample["callHistory"]
        history = {**sample, "_id": name, "sid": f"sid{name.replace('-', 'x')}"}
        self._control("emit", company, event=HISTORY, args=[{"callHistory": history}])

    def _pause(self) -> None:
        gevent.sleep(self._random.uniform(*self._plan.pauses))

    def _start_server(self) -> None:
        self._made.start_server(
            app="bench.torture.calls.hurried:app",
            REST_HOSTS="127.0.0.1",
            HURRIED=self._plan.hurried,
        )

    def _wait_for_sockets(self) -> None:
        self._made.servers[-1].wait_for_sockets(len(self.companies), 60)

    def _control(self, path: str, company: Company, **given: Any) -> None:
        self._made.simulator.control(path, token=company.token, **given)

    def _is_settled(self) -> bool:
        query = (
            "SELECT (SELECT COUNT(*) FROM recoveries WHERE state IN ('counting', 'running'))"
            " + (SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NULL)"
        )
        return self._is_true(lambda: rows(self._made.app, query)[0][0] == 0)

    def _is_true(self, condition: Callable[[], bool]) -> bool:
        until = time.monotonic() + self._plan.settle
        while time.monotonic() < until:
            if condition():
                return True
            gevent.sleep(0.2)
        return False


def main(database: str, cuts: int, seed: int) -> int:
    """Run a trial, print its account, and return 0 if all held."""
    plan = replace(LONG if cuts >= LONG.cuts else SHORT, cuts=cuts)
    print(f"{database}, {plan.cuts} cuts, {plan.kills} kills, seed {seed}", flush=True)
    account, settled = run(database, plan, seed)
    for line in account.lines():
        print(line)
    good = settled and not account.wrong
    print("the promises held" if good else f"THE PROMISES DID NOT HOLD (settled: {settled})")
    return 0 if good else 1


def run(database: str, plan: Plan, seed: int) -> tuple[Account, bool]:
    """Return the account, and whether all ended."""
    with stage(database, companies=0) as made:
        trial = Trial(made, plan, seed)
        settled = trial.run()
        return take(made, trial.companies, plan), settled
