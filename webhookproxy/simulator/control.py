"""The commands of the simulator: emit, burst, drop, kick, fall silent, record calls ..."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from webhookproxy.events.catalog import CATALOG
from webhookproxy.simulator.company import Company, Odd
from webhookproxy.simulator.recordings import RecordingOddities
from webhookproxy.simulator.records import HISTORY, Oddities
from webhookproxy.simulator.samples import SAMPLES, compact
from webhookproxy.simulator.server import Simulator

Command = Callable[..., Awaitable[dict[str, Any]]]

_MOST_WAITING = 1_000
_BETWEEN_CHECKS = 100


class CommandError(Exception):
    """A command cannot be done; the text says why."""


class Control:
    """Each of `commands` is `POST /control/<its name>`, its keywords the keys of the body.

    `token` names one company; without it a command is for every token seen before. The answer has
    the number of its sockets. Each of `questions` is a GET, its keywords the query.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.commands: dict[str, Command] = {
            "emit": self.emit,
            "raw": self.raw,
            "burst": self.burst,
            "drop": self.drop,
            "kick": self.kick,
            "close": self.close,
            "silence": self.silence,
            "refuse": self.refuse,
            "one_socket": self.one_socket,
            "recovery": partial(_recovery, simulator),
            "second": partial(_second, simulator),
            "pings": self.pings,
            "rest": self.rest,
            "record": partial(_record, simulator),
            "recording": partial(_recording, simulator),
        }
        self.questions: dict[str, Command] = {"state": self.state, "emitted": self.emitted}

    async def emit(
        self, *, event: str, args: list[Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """Emit one event; without `args`, the catalogue's sample of it.

        Answers also how many of the sockets are not dead, as `heard`.
        """
        companies = self._companies(token)
        for company in companies:
            if args is None:
                texts = [_sample(company, event, company.world.new_call())]
            else:
                texts = [compact(argument) for argument in args]
            await company.emit(event, texts)
        links = [link for company in companies for link in company.links.values()]
        return {**_sockets(companies), "heard": sum(not link.line.frozen for link in links)}

    async def raw(
        self, *, packet: str, binary_base64: Sequence[str] = (), token: str | None = None
    ) -> dict[str, Any]:
        """Send a websocket text frame exactly as it is (`42[...]`), and then binary frames."""
        companies = self._companies(token)
        try:
            frames = [base64.b64decode(text, validate=True) for text in binary_base64]
        except binascii.Error as error:
            raise CommandError('"binary_base64" must be a list of Base64 texts') from error
        for company in companies:
            await company.send([packet, *frames])
        return _sockets(companies)

    async def burst(
        self,
        *,
        count: int,
        token: str | None = None,
        event: str = "call-was-connected",
        rate: float = math.inf,
        distinct_keys: bool = True,
    ) -> dict[str, Any]:
        """Emit `count` samples with a top-level `seq` 1 to `count`, at most `rate` a second.

        `emitted_at` is when each left, in seconds of the machine's monotonic clock.
        Answers when the sockets have taken them all. With `distinct_keys` each is about a call,
        a chat and a customer of its own; without, all are about one.
        """
        companies = self._companies(token)
        start = time.monotonic()
        ids = [company.world.new_call() for company in companies]
        for seq in range(1, count + 1):
            await _pace(companies, start + seq / rate, seq)
            for place, company in enumerate(companies):
                if distinct_keys:
                    ids[place] = company.world.new_call()
                text = _sample(company, event, ids[place])
                comma = "" if text == "{}" else ","
                marks = f'"seq":{seq},"emitted_at":{time.monotonic():.6f}'
                await company.emit(event, [f"{text[:-1]}{comma}{marks}}}"])
        await _taken(companies, 0)
        seconds = round(time.monotonic() - start, 6)
        return {"emitted": count, "seconds": seconds, **_sockets(companies)}

    async def drop(self, *, token: str | None = None) -> dict[str, Any]:
        """Cut the TCP connections, with no packet and no closing frame."""
        companies = self._companies(token)
        answer = _sockets(companies)
        for company in companies:
            for link in list(company.links.values()):
                link.line.abort()
        return answer

    async def kick(self, *, token: str | None = None) -> dict[str, Any]:
        """Send the Socket.IO DISCONNECT packet."""
        companies = self._companies(token)
        answer = _sockets(companies)
        for company in companies:
            await self._simulator.kick(company)
        return answer

    async def close(self, *, token: str | None = None) -> dict[str, Any]:
        """Send the Engine.IO CLOSE packet."""
        companies = self._companies(token)
        answer = _sockets(companies)
        for company in companies:
            await self._simulator.close(company)
        return answer

    async def silence(
        self, *, seconds: float = math.inf, pings: bool = True, token: str | None = None
    ) -> dict[str, Any]:
        """Keep the sockets open and send none of the company's events; 0 seconds ends it.

        Commanded events still go out. With `pings` false the sockets open now go dead instead:
        nothing leaves them, not even a ping or a close, until the time is over.
        """
        companies = self._companies(token)
        for company in companies:
            company.silence(seconds)
            for link in company.links.values():
                link.line.freeze(0 if pings else seconds)
        return _sockets(companies)

    async def refuse(
        self, *, token: str, refused: bool = True, kick: bool = True
    ) -> dict[str, Any]:
        """Refuse `token` from now on, or accept it again; a refused one is also kicked."""
        company = self._simulator.company(token)
        answer = _sockets([company])
        company.refused = refused
        if refused and kick:
            await self._simulator.kick(company)
        return answer

    async def one_socket(self, *, token: str, only: bool = True) -> dict[str, Any]:
        """End a token's open sockets whenever a new one comes, or let them live beside it."""
        company = self._simulator.company(token)
        company.one_socket = only
        return _sockets([company])

    async def pings(self, *, interval: int, timeout: int) -> dict[str, Any]:
        """Announce other ping times, in whole seconds, to the sockets that connect from now on."""
        engine = self._simulator.sio.eio
        engine.ping_interval, engine.ping_timeout = interval, timeout
        return _sockets(self._companies(None))

    async def rest(self, *, token: str, count: int = 1_000_000, **oddities: Any) -> dict[str, Any]:
        """Answer the next `count` requests for calls oddly; without an oddity, well again.

        See `records.Oddities`.
        """
        company = self._simulator.company(token)
        company.records.oddities = Oddities(left=count, **oddities)
        return company.records.state()

    async def state(self, *, token: str | None = None) -> dict[str, Any]:
        """Return the sockets, handshakes and counts per masked token."""
        tokens = [company.state() for company in self._companies(token)]
        return {"seq": sum(state["seq"] for state in tokens), "tokens": tokens}

    async def emitted(self, *, token: str, since: int = 0) -> dict[str, Any]:
        """Return the text frames emitted after number `since`, of the last 2,000."""
        return {"events": self._companies(token)[0].emitted_since(since)}

    def _companies(self, token: str | None) -> list[Company]:
        if token is None:
            return list(self._simulator.companies.values())
        if token not in self._simulator.companies:
            raise CommandError("no socket has come with this token yet; connect one first")
        return [self._simulator.companies[token]]


async def _recording(
    simulator: Simulator, *, token: str, count: int = 1_000_000, **oddities: Any
) -> dict[str, Any]:
    """Answer the next `count` requests for a recording oddly; without an oddity, well again.

    See `recordings.RecordingOddities`.
    """
    company = simulator.company(token)
    company.recordings.oddities = RecordingOddities(left=count, **oddities)
    return company.recordings.state()


async def _second(
    simulator: Simulator,
    *,
    token: str,
    refuses: bool = False,
    replays: int = 0,
    texts: bool = False,
    order: bool = False,
) -> dict[str, Any]:
    """Treat the second socket of a token oddly; without an oddity, as the first one."""
    company = simulator.company(token)
    company.odd = Odd(refuses, replays, texts, order)
    return _sockets([company])


async def _record(simulator: Simulator, *, token: str, calls: dict[str, float]) -> dict[str, Any]:
    """Put calls on record that no socket brings: when each was, by the id of its history.

    The times are seconds since 1970.
    """
    company = simulator.company(token)
    sample: Any = CATALOG[HISTORY].sample["callHistory"]
    for name, seconds in calls.items():
        history = {**sample, "_id": name, "sid": f"sid-{name}"}
        moment = datetime.fromtimestamp(seconds, UTC)
        company.records.add(json.dumps({"callHistory": history}), moment)
    return company.records.state()


async def _recovery(
    simulator: Simulator, *, token: str, seconds: float = 120, offsets: bool = True
) -> dict[str, Any]:
    """Send a token's new sockets what was missed up to `seconds` ago; 0 ends that.

    Without `offsets`, events that are sent again have none, as some servers do it.
    """
    company = simulator.company(token)
    company.recovery.seconds, company.recovery.offsets = seconds, offsets
    return _sockets([company])


def _sample(company: Company, event: str, ids: dict[str, str]) -> str:
    if event not in SAMPLES:
        raise CommandError(f'"{event}" is not in the catalogue; give its "args"')
    return company.world.event(event, ids).payload


def _sockets(companies: Sequence[Company]) -> dict[str, Any]:
    return {"sockets": sum(len(company.links) for company in companies)}


async def _pace(companies: Sequence[Company], due: float, seq: int) -> None:
    delay = due - time.monotonic()
    if delay > 0:
        await asyncio.sleep(delay)
    elif seq % _BETWEEN_CHECKS == 0:
        await _taken(companies, _MOST_WAITING)


async def _taken(companies: Sequence[Company], left: int) -> None:
    """Wait until no socket has more than `left` frames to take; a dead one times out by itself."""
    await asyncio.sleep(0)
    while any(company.waiting() > left for company in companies):
        await asyncio.sleep(0.001)
