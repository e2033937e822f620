"""One company's operation: agents, a dialer, and the mixed events of many calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import NamedTuple

from webhookproxy.simulator.samples import SAMPLES, UNANSWERED_HISTORY

# Most dialed numbers do not answer: about half of all events are created, trying, not answered.
_ANSWERED = 0.25
_TRYING = 0.5
_TRYING_FIRST = 0.1
_MACHINE = 0.3
_ENDED = 0.5
# What begins next: mostly calls, sometimes an agent's break or a chat.
_BREAK = 0.03
_CHAT = 0.05
_FIRST_NAMES = ("Ana", "Bruno", "Conceição", "Davi", "Érica", "João", "Márcia", "Otávio")
_LAST_NAMES = ("Almeida", "Brandão", "Costa", "Gonçalves", "Lima", "Nuñez", "Souza")
# São Paulo has had no summer time since 2019.
_SAO_PAULO = timezone(timedelta(hours=-3))


class Emission(NamedTuple):
    """One event: its name, and its one argument as JSON text."""

    name: str
    payload: str


class World:
    """A company with its own ids. The same `random` state gives the same company and life."""

    def __init__(self, random: Random, agents: int) -> None:
        self._random = random
        self._company = {
            "company": str(random.randrange(1_000, 100_000)),
            "campaign": str(random.randrange(10_000, 100_000)),
        }
        self._agents = [self._agent(1_001 + number) for number in range(agents)]
        self._idle = list(self._agents)
        self._lives: list[Iterator[Emission]] = []
        # A dialer lets a few more numbers ring than it has agents.
        self._most_lives = agents + agents // 2 + 1

    def next_event(self) -> Emission:
        """Return the next event of any call, break or chat; the events of each come in order."""
        while True:
            if len(self._lives) < self._most_lives:
                self._lives.append(self._begin())
            place = self._random.randrange(len(self._lives))
            emission = next(self._lives[place], None)
            if emission is not None:
                return emission
            self._lives[place] = self._lives[-1]
            self._lives.pop()

    def new_call(self) -> dict[str, str]:
        """Return the ids of a call, customer, chat and agent not seen before."""
        random, now = self._random, int(datetime.now(UTC).timestamp())
        number = random.randrange(10**8)
        return {
            **self._company,
            **random.choice(self._agents),
            "call": f"{random.getrandbits(64):016x}",
            "sid": f"{random.getrandbits(64):016x}",
            "phone": f"55419{number:08}",
            "identifier": f"CLI-{number:08}",
            "customer": f"Cliente {number}",
            "mailing": f"{random.getrandbits(96):024x}",
            "history": f"{random.getrandbits(96):024x}",
            "chat": str(random.randrange(10**6, 10**9)),
            "contact": str(random.randrange(10**6, 10**9)),
            "message": f"3EB0{random.getrandbits(64):016X}",
            "dialed": str(now),
            "answered": str(now),
            "connected": str(now),
        }

    def event(self, name: str, ids: Mapping[str, str]) -> Emission:
        """Return the catalogue's event `name` about `ids`, now. KeyError: not in the catalogue."""
        wire_name = "call-history-was-created" if name == UNANSWERED_HISTORY else name
        return Emission(wire_name, SAMPLES[name].fill({**ids, **_clock()}))

    def _agent(self, extension_number: int) -> dict[str, str]:
        random = self._random
        number = random.randrange(100_000, 1_000_000)
        return {
            "agent": str(number),
            "agent_name": f"{random.choice(_FIRST_NAMES)} {random.choice(_LAST_NAMES)}",
            "agent_code": f"AGT{number:07}",
            "extension": str(number + 1_000_000),
            "extension_number": str(extension_number),
            "agent_status": str(number + 2_000_000),
            "settings": str(number + 3_000_000),
        }

    def _begin(self) -> Iterator[Emission]:
        chance = self._random.random()
        if chance < _BREAK:
            return self._break()
        if chance < _BREAK + _CHAT:
            return self._chat()
        return self._call()

    def _call(self) -> Iterator[Emission]:
        random, ids = self._random, self.new_call()
        opening = ["call-was-created"]
        if random.random() < _TRYING:
            # Seen on the real platform: trying can leave just before created.
            first = random.random() < _TRYING_FIRST
            opening.insert(0 if first else 1, "call-is-trying")
        for name in opening:
            yield self.event(name, ids)
        if random.random() >= _ANSWERED:
            yield self.event("call-was-not-answered", ids)
            yield self.event(UNANSWERED_HISTORY, ids)
            return
        ids["answered"] = str(int(datetime.now(UTC).timestamp()))
        yield self.event("call-was-answered", ids)
        if random.random() < _MACHINE:
            yield self.event("call-was-amd", ids)
        if not self._idle:
            yield self.event("call-was-abandoned", ids)
            yield self.event(UNANSWERED_HISTORY, ids)
            return
        yield from self._conversation(ids)

    def _conversation(self, ids: dict[str, str]) -> Iterator[Emission]:
        agent = self._idle.pop(self._random.randrange(len(self._idle)))
        connected = str(int(datetime.now(UTC).timestamp()))
        ids = {**ids, **agent, "connected": connected}
        yield self.event("call-was-connected", ids)
        if self._random.random() < _ENDED:
            yield self.event("call-was-ended", ids)
        yield self.event("call-was-finished", ids)
        yield self.event("call-history-was-created", ids)
        yield self.event("agent-in-acw", ids)
        self._idle.append(agent)
        yield self.event("agent-is-idle", ids)

    def _break(self) -> Iterator[Emission]:
        if not self._idle:
            return
        agent = self._idle.pop(self._random.randrange(len(self._idle)))
        ids = {**self.new_call(), **agent}
        yield self.event("agent-entered-work-break", ids)
        yield self.event("agent-left-work-break", ids)
        self._idle.append(agent)
        yield self.event("agent-is-idle", ids)

    def _chat(self) -> Iterator[Emission]:
        ids = self.new_call()
        yield self.event("new-message-whatsapp", ids)
        yield self.event("new-agent-message-whatsapp", ids)
        yield self.event("message-ack-whatsapp", ids)
        yield self.event("finish-chat-whatsapp", ids)


def _clock() -> dict[str, str]:
    now = datetime.now(UTC)
    local = now.astimezone(_SAO_PAULO)
    micro = now.isoformat(timespec="microseconds")
    return {
        "clock": str(int(now.timestamp())),
        # Microseconds and an offset: no two emissions of one event are the same text.
        "boot": micro,
        "micro": micro.replace("+00:00", "Z"),
        "milli": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "local": f"{local:%Y-%m-%d %H:%M:%S}",
        "local_br": f"{local:%d/%m/%Y %H:%M:%S}",
    }
