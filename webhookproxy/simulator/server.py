"""The Socket.IO server: which tokens are accepted, and how fast events come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any
from urllib.parse import parse_qs

# Neither package has types.
import socketio
from socketio.exceptions import ConnectionRefusedError  # noqa: A004

from webhookproxy.simulator.company import Company, Link
from webhookproxy.simulator.wire import LINE, Application, RawFrame, with_lines
from webhookproxy.simulator.world import World

_SHORTEST_TOKEN = 8
_AGENT_TOKEN = "agente_"  # noqa: S105


@dataclass(frozen=True)
class Settings:
    """How the simulated platform behaves.

    `rate` is events per second and company; with 0 only commanded ones come. With `accept`, only
    these tokens are accepted.
    """

    agents: int = 10
    rate: float = 5.0
    seed: int | None = None
    accept: frozenset[str] = frozenset()


class _Server(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """The library's server, which can also answer a new socket with other ids than its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # By the library's id of the socket; for one answer.
        self.answers: dict[str, Mapping[str, str]] = {}

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        if pkt.packet_type == socketio.packet.CONNECT:
            pkt.data = self.answers.pop(pkt.data["sid"], pkt.data)
        await super()._send_packet(eio_sid, pkt)


class Simulator:
    """The companies of all tokens seen, and the Socket.IO server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seed = SystemRandom().getrandbits(64) if settings.seed is None else settings.seed
        self.companies: dict[str, Company] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Only CRITICAL: the libraries' own lines can show a handshake's address, token included.
        log = logging.getLogger("webhookproxy.simulator")
        log.setLevel(logging.CRITICAL)
        self.sio = _Server(
            async_mode="asgi",
            transports=["websocket"],
            cors_allowed_origins=[],
            logger=log,
            engineio_logger=log,
        )
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)

    def application(self, elsewhere: Application) -> Application:
        """Return the ASGI application; requests outside `/socket.io/` go to `elsewhere`."""
        return with_lines(socketio.ASGIApp(self.sio, other_asgi_app=elsewhere))

    def company(self, token: str) -> Company:
        """Return the company of `token`; make it at the first call."""
        if token not in self.companies:
            world = World(Random(f"{self._seed}:{token}"), self._settings.agents)  # noqa: S311
            self.companies[token] = Company(token, world)
        return self.companies[token]

    async def kick(self, company: Company) -> None:
        """Send the Socket.IO DISCONNECT packet to every socket of `company`."""
        for sid in list(company.links):
            await self.sio.disconnect(sid)

    async def close(self, company: Company) -> None:
        """Send the Engine.IO CLOSE packet to every socket of `company`."""
        for link in list(company.links.values()):
            await self.sio.eio.disconnect(link.engine_id)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        query = parse_qs(environ["QUERY_STRING"])
        token = query.get("token", [""])[0]
        company = self.company(token)
        company.handshakes += 1
        refuses = company.odd.refuses and company.links
        if refuses or company.refused or not self.accepts(token, is_agent="agent_id" in query):
            raise ConnectionRefusedError("Authentication error")
        company.accepted += 1
        earlier = list(company.links) if company.one_socket else []
        engine_id = self.sio.manager.eio_sid_from_sid(sid, "/")
        # From here to the CONNECT packet nothing yields, so no event can overtake it.
        company.links[sid] = Link(
            engine_id, self.sio.eio.sockets[engine_id], environ["asgi.scope"][LINE]
        )
        if (opened := company.recovery.open(sid, auth)) is not None:
            self.sio.answers[sid] = opened.answer
            for frame in opened.missed:
                await company.links[sid].engine.send(RawFrame(frame))
        if company.odd.replays:
            self._later(company.greet(company.links[sid]))
        for each in earlier:
            # Not from here: nothing may yield before the CONNECT packet.
            self._later(self.sio.disconnect(each))
        if self._settings.rate > 0 and token not in self._lives:
            self._lives[token] = asyncio.create_task(self._live(company))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(self._tasks.discard)

    def accepts(self, token: str, *, is_agent: bool) -> bool:
        """Return whether a token is one of the platform's; `is_agent`: an agent came with it."""
        if self._settings.accept:
            return token in self._settings.accept
        if token.startswith(_AGENT_TOKEN) and not is_agent:
            return False
        return len(token) >= _SHORTEST_TOKEN

    async def _disconnect(self, sid: str, reason: object = None) -> None:
        for company in self.companies.values():
            company.links.pop(sid, None)
            company.recovery.end(sid, reason)

    async def _live(self, company: Company) -> None:
        """Emit the world's events without end; without a listener they are lost."""
        # Due times are counted from the start, so that late wake-ups do not add up.
        start, count = time.monotonic(), 0
        while True:
            count += 1
            delay = start + count / self._settings.rate - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            emission = company.world.next_event()
            if not company.silent:
                await company.emit(emission.name, [emission.payload])
