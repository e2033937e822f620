"""Requests for missing calls: counted first, and recovered once that is confirmed."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now
from webhookproxy.models.audit import Action, Actor, record_company
from webhookproxy.models.companies import Company, find_company
from webhookproxy.models.recovery.comparisons import DayComparison
from webhookproxy.models.recovery.recoveries import (
    LOOKS_MS,
    MOST_MS,
    UNDER_WAY,
    Recovery,
    RecoveryState,
    first_event_ms,
)
from webhookproxy.rules import Refused


def ask(session: Session, company_id: int, since_ms: int, until_ms: int, actor: Actor) -> int:
    """Have the missing calls of a time counted; return the number of the request.

    Nothing is recovered before `confirm`. Raises Refused if the time is empty, too long ago or
    before the company's first event, or if a request of the company is under way.
    """
    company = find_company(session, company_id)
    now_ms = ms_now()
    begins, ends = _checked(session, company, since_ms, until_ms, now_ms)
    _refuse_second(session, company_id)
    asked = Recovery(
        company_id=company_id,
        asked_by=actor.who,
        asked_ms=now_ms,
        since_ms=begins,
        until_ms=ends,
        state=RecoveryState.COUNTING.value,
        look=len(LOOKS_MS) - 1,
        next_ms=now_ms,
    )
    session.add(asked)
    session.flush()
    return asked.id


def confirm(session: Session, recovery_id: int, actor: Actor) -> bool:
    """Have what was counted recovered; return False if that was done already."""
    found = session.get(Recovery, recovery_id, with_for_update=True, populate_existing=True)
    if found is None or found.state != RecoveryState.COUNTED:
        return False
    now_ms = ms_now()
    much = f"{found.missing}"
    found.state, found.ended_ms = RecoveryState.RUNNING.value, None
    # It may have been counted days ago: of older calls the ledger knows nothing any more.
    found.asked_ms = now_ms
    found.begin_look(now_ms)
    record_company(session, actor, Action.CALLS_RECOVERED, found.company_id, much)
    return True


def recover_compared(session: Session, comparison_id: int, actor: Actor) -> int:
    """Have the calls recovered that a comparison counted as missing; return the request's number.

    Raises Refused as `ask` does.
    """
    compared = session.get_one(DayComparison, comparison_id)
    number = ask(session, compared.company_id, compared.since_ms, compared.until_ms, actor)
    counted = session.get_one(Recovery, number)
    counted.state = RecoveryState.COUNTED.value
    if (found := compared.compared) is not None:
        counted.listed, counted.missing = found.listed, found.missing_count
    session.flush()
    confirm(session, number, actor)
    return number


def _checked(
    session: Session, company: Company, since_ms: int, until_ms: int, now_ms: int
) -> tuple[int, int]:
    """Return the time that may be asked for."""
    first = first_event_ms(session, company.id)
    if first is None:
        raise Refused.one(
            "since",
            f"company_{company.id} has no event yet, so no call of it can be missing.",
            "Esta empresa ainda não tem eventos, e por isso nenhuma ligação dela pode faltar.",
        )
    begins, ends = max(since_ms, first, now_ms - MOST_MS), min(until_ms, now_ms)
    if begins >= ends:
        raise Refused.one(
            "since",
            "This time is empty, before the company's first event, or more than 30 days ago.",
            "Este período está vazio, é anterior ao primeiro evento da empresa ou passou de "
            "30 dias.",
        )
    return begins, ends


def _refuse_second(session: Session, company_id: int) -> None:
    query = (
        select(Recovery.id)
        .where(Recovery.company_id == company_id, text(UNDER_WAY), Recovery.asked_by != "")
        .limit(1)
    )
    if session.scalar(query) is not None:
        raise Refused.one(
            "company",
            f"A recovery that was asked for company_{company_id} is under way: wait for its end.",
            "Já há uma recuperação desta empresa em andamento: espere que ela termine.",
        )
