"""What was seen of the second sockets: one row for each company that asked for one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.fence import Fence, part_of
from webhookproxy.database.store import Store
from webhookproxy.reasons import SecondSocketState

_BEGIN = text(
    "INSERT INTO second_sockets (company_id, began_at, counted_at, state, joins, paired, unpaired,"
    " replayed, displacement) SELECT id, :now, :now, :state, 0, 0, 0, 0, 0 FROM companies"
    " WHERE id = :company_id AND observe_second ON CONFLICT (company_id) DO NOTHING"
)
_READ = text(
    "SELECT s.state, s.began_at, s.joins, s.paired, s.unpaired, s.replayed, s.displacement,"
    " c.one_socket_at FROM second_sockets s JOIN connections c ON c.company_id = s.company_id"
    " WHERE s.company_id = :company_id"
)
_WRITE = text(
    "UPDATE second_sockets SET counted_at = :now, state = :state, joins = :joins,"
    " paired = :paired, unpaired = :unpaired, replayed = :replayed, displacement = :displacement"
    " WHERE company_id = :company_id AND began_at = :began_at"
)
# The first time counts: days after it a second socket is tried again.
_ONE_SOCKET = text(
    "UPDATE connections SET one_socket_at = COALESCE(one_socket_at, :now)"
    " WHERE company_id = :company_id"
)

# A new process that takes the sockets over asks for no second socket of these.
ONE_SOCKET = (SecondSocketState.REFUSED, SecondSocketState.ONE_SOCKET)
_GOES_ON = (SecondSocketState.WAITING, SecondSocketState.OBSERVING)


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen so far; times in wall milliseconds."""

    company_id: int
    began_at: int
    state: SecondSocketState
    joins: int = 0
    paired: int = 0
    unpaired: int = 0
    replayed: int = 0
    displacement: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is observed any more."""
        return self.state not in _GOES_ON


def begin(
    store: Store, reading: Engine, company_id: int, fence: Fence | None, now: int
) -> Report | None:
    """Return what is stored of a company's second socket; None if it did not ask for one.

    Raises what the store raises.
    """
    values = {"company_id": company_id, "now": now, "state": SecondSocketState.WAITING.value}
    with reading.connect() as connection:
        row = connection.execute(_READ, values).first()
    if row is None:
        own = part_of(fence, (company_id,))
        store.run(lambda connection: connection.execute(_BEGIN, values) and None, fence=own)
        with reading.connect() as connection:
            row = connection.execute(_READ, values).first()
    if row is None:
        return None
    found = Report(
        company_id,
        row.began_at,
        SecondSocketState(row.state),
        row.joins,
        row.paired,
        row.unpaired,
        row.replayed,
        row.displacement,
    )
    if row.one_socket_at is not None and not found.is_over:
        found = replace(found, state=SecondSocketState.ONE_SOCKET)
        write(store, [found], fence, now)
    return found


def write(store: Store, reports: list[Report], fence: Fence | None, now: int) -> set[int]:
    """Write reports in one commit; return the companies that no longer have these rows.

    Raises what the store raises.
    """

    def job(connection: Connection) -> set[int]:
        gone = set()
        for each in reports:
            values = {**asdict(each), "state": each.state.value, "now": now}
            if not connection.execute(_WRITE, values).rowcount:
                gone.add(each.company_id)
            elif each.state in ONE_SOCKET:
                connection.execute(_ONE_SOCKET, values)
        return gone

    return store.run(job, fence=part_of(fence, (each.company_id for each in reports)))
