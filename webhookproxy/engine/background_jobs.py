"""What the owner of the sockets does behind the traffic, each by itself and a little at a time."""

from __future__ import annotations

from typing import Protocol

from flask import Config
from sqlalchemy import Engine

from webhookproxy.database.store import Store
from webhookproxy.delivery.lanes.pool import Lanes
from webhookproxy.delivery.outcomes.resending import Resending
from webhookproxy.housekeeping.steps import Housekeeping
from webhookproxy.search.index.indexer import Indexer
from webhookproxy.search.index.place import SearchPlace


class Chore(Protocol):
    """One step at a time; `pause` is how many seconds to wait until the next."""

    @property
    def pause(self) -> float: ...
    def step(self) -> bool: ...


def chores(
    config: Config, store: Store, reading: Engine, lanes: Lanes, search: SearchPlace
) -> tuple[Chore, ...]:
    """All of them, for the engine to keep at while it owns the sockets."""
    indexer = Indexer(search, reading)
    housekeeping = Housekeeping(
        store,
        reading,
        lanes.lane,
        config["RETENTION_DAYS"],
        config["UNWANTED_HOURS"],
        audit_days=config["AUDIT_DAYS"],
        max_data_bytes=config["MAX_DATA_BYTES"],
        gone=indexer.gone,
    )
    resending = Resending(store, reading, lanes.attend, config["RETENTION_DAYS"])
    return (housekeeping, indexer, resending)
