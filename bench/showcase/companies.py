"""The companies, in every state that a connection can be in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from webhookproxy.models import Company, Gap
from webhookproxy.models.companies import create_company, wish_connection
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason, ConnectionState
from webhookproxy.rules.companies import CompanyInput

CLINIC = "Clínica Sorriso Recife"
COLLECTOR = "Cobrança Vale Assessoria"

# How long each company has been a customer.
AGE_DAYS = 100

# Name, 3C Plus id, state, reason, minutes since, minutes since the last event, events.
_ROWS: tuple[tuple[str, str, ConnectionState, ConnectionReason, int, int | None, int], ...] = (
    (CLINIC, "48211", ConnectionState.CONNECTED, ConnectionReason.ACCEPTED, 371, 0, 182_344),
    (COLLECTOR, "50377", ConnectionState.CONNECTED, ConnectionReason.ACCEPTED, 1_893, 1, 904_118),
    (
        "Imobiliária Horizonte",
        "51902",
        ConnectionState.RECONNECTING,
        ConnectionReason.HANDSHAKE_TIMEOUT,
        7,
        8,
        23_410,
    ),
    (
        "Autoescola Trânsito Livre",
        "44015",
        ConnectionState.TOKEN_REFUSED,
        ConnectionReason.REFUSED,
        190,
        191,
        7_702,
    ),
    (
        "Telecom Serra Azul",
        "47780",
        ConnectionState.CONNECTED,
        ConnectionReason.ACCEPTED,
        3_022,
        164,
        66_120,
    ),
    (
        "Consórcio União Minas",
        "",
        ConnectionState.DISCONNECTED,
        ConnectionReason.NOT_WISHED,
        4_330,
        4_331,
        310,
    ),
)
# Company, minutes since the beginning, seconds it lasted (None: it still lasts), reason.
_GAPS: tuple[tuple[str, int, int | None, ConnectionReason], ...] = (
    (CLINIC, 1_214, 12, ConnectionReason.DROPPED),
    (CLINIC, 655, 47, ConnectionReason.SILENT),
    (CLINIC, 380, 540, ConnectionReason.HANDSHAKE_TIMEOUT),
    ("Imobiliária Horizonte", 7, None, ConnectionReason.HANDSHAKE_TIMEOUT),
    ("Autoescola Trânsito Livre", 190, None, ConnectionReason.REFUSED),
)


def fill(session: Session, policy: Policy, fence: int) -> dict[str, Company]:
    """Write the companies as an owner with this fence would. Return them by name."""
    now = datetime.now(UTC)
    made = {row[0]: _company(session, policy, fence, now, *row) for row in _ROWS}
    for name, began, seconds, reason in _GAPS:
        started = now - timedelta(minutes=began)
        session.add(
            Gap(
                company_id=made[name].id,
                started_at=started,
                ended_at=None if seconds is None else started + timedelta(seconds=seconds),
                reason=reason.value,
            )
        )
    return made


def _company(
    session: Session,
    policy: Policy,
    fence: int,
    now: datetime,
    name: str,
    threec_id: str,
    state: ConnectionState,
    reason: ConnectionReason,
    since: int,
    heard: int | None,
    events: int,
) -> Company:
    token = f"k7Q{abs(hash_of(name)):020x}Zp4w"
    given = CompanyInput(
        name=name, token=token, socket_url="https://socket.3c.plus", threec_id=threec_id
    )
    company = create_company(session, given, policy)
    company.created_at = now - timedelta(days=AGE_DAYS)
    wished = state is not ConnectionState.DISCONNECTED
    wish_connection(session, company, connected=wished)
    facts: dict[str, Any] = {
        "state": state.value,
        "reason": reason.value,
        "since": now - timedelta(minutes=since),
        "fence": fence,
        "events": events,
        "last_event_at": None if heard is None else now - timedelta(minutes=heard, seconds=11),
        "socket_id": "5kQv0xJ2mTq8YtLrAAZD" if state is ConnectionState.CONNECTED else None,
    }
    if state in (ConnectionState.RECONNECTING, ConnectionState.TOKEN_REFUSED):
        facts["next_attempt_at"] = now + timedelta(minutes=4, seconds=20)
    for field, value in facts.items():
        setattr(company.connection, field, value)
    return company


def hash_of(name: str) -> int:
    """Return a number that is the same in every run."""
    return int.from_bytes(name.encode()[:8], "big")
