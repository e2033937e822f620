"""The servers that share the companies, and which of them owns what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

import psutil
from sqlalchemy import text
from sqlalchemy.engine import make_url

from bench.torture.stage import Stage
from tests.support.application import rows, store_of
from tests.support.server_process import ServerProcess
from webhookproxy.models.installation.handovers import want_owner

_NAME = "torture-{}"
_OWNERS = "SELECT shard, holder FROM leases WHERE shard < :shares"
_CUT = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")


@dataclass
class Cluster:
    """The servers of a stage, each with a name of its own in PostgreSQL."""

    stage: Stage
    shares: int
    _numbers: count[int] = field(default_factory=count)
    _names: dict[ServerProcess, str] = field(default_factory=dict)
    _workers: dict[int, ServerProcess] = field(default_factory=dict)

    @property
    def servers(self) -> list[ServerProcess]:
        """The servers that run, the oldest first."""
        return self.stage.servers

    def start(self) -> ServerProcess:
        """Start one more server, and wait until it answers."""
        name = _NAME.format(next(self._numbers))
        url = make_url(self.stage.url).update_query_dict({"application_name": name})
        given = {
            "SHARES": str(self.shares),
            "DATABASE_URL": url.render_as_string(hide_password=False),
        }
        server = self.stage.start_server(**given)
        self._names[server] = name
        (worker,) = psutil.Process(server.pid).children()
        self._workers[worker.pid] = server
        return server

    def owners(self) -> dict[int, ServerProcess | None]:
        """Return the server that has the lease of each share, or had it last; None if it ended."""
        found = rows(self.stage.app, _OWNERS, shares=self.shares)
        return {row.shard: self._living(row.holder) for row in found}

    def owned(self, server: ServerProcess) -> set[int]:
        """Return the shares of which a server has the lease."""
        return {share for share, owner in self.owners().items() if owner is server}

    def followed(self, server: ServerProcess) -> set[int]:
        """Return the shares of which a server has sockets beside those of the owner."""
        query = "SELECT shard, successor FROM handovers WHERE successor IS NOT NULL"
        found = rows(self.stage.app, query)
        return {row.shard for row in found if self._living(row.successor) is server}

    def fences(self) -> dict[int, int]:
        """Return the fence of each share, which each new owner raises."""
        query = "SELECT shard, fence FROM leases WHERE shard < :shares"
        return {row.shard: row.fence for row in rows(self.stage.app, query, shares=self.shares)}

    def companies(self, shares: Iterable[int]) -> set[int]:
        """Return the companies of some shares."""
        chosen = set(shares)
        return {each for each in self.stage.tokens if each % self.shares in chosen}

    def is_whole(self) -> bool:
        """Return whether every share has an owner that runs."""
        owners = self.owners()
        return len(owners) == self.shares and None not in owners.values()

    def cut(self, server: ServerProcess) -> None:
        """End every session that a server has with PostgreSQL."""
        given = {"name": self._names[server]}
        store_of(self.stage.app).run(lambda connection: connection.execute(_CUT, given) and None)

    def want(self, share: int, server: ServerProcess) -> None:
        """Wish, as an administrator, that a server owns a share."""
        name = self._holder(server)
        store_of(self.stage.app).session(lambda session: want_owner(session, share, name))

    def _living(self, holder: str) -> ServerProcess | None:
        server = self._workers.get(_pid(holder))
        return server if server in self.servers else None

    def _holder(self, server: ServerProcess) -> str:
        names: list[str] = [row[0] for row in rows(self.stage.app, "SELECT name FROM processes")]
        return next(each for each in names if self._workers.get(_pid(each)) is server)


def _pid(holder: str) -> int:
    """Return the process id in a process's name, see `name_of_this_process`."""
    return int(holder.split(":")[1])
