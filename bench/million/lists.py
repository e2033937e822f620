"""`python -m bench.million.lists`: every list and search, over a million events.

On both databases it makes a week of a busy relay (see bench/million/week.py), fills the search, and
starts the server as bin/serve does. Then it requests every kind of page, with different values each
time, as an administrator of ten companies and as an operator of one, and measures how long the
answers took. Exits with 1 if a list took 100 ms or more at p95, or a search 300 ms.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import requests

from bench.load import percentile
from bench.million.calls import AGENTS, Call
from bench.million.week import EVENTS_PER_CALL, WEBHOOKS, make
from bench.processes.stage import settings, start_server
from bench.scale import log_in
from tests.support import postgresql
from webhookproxy import create_app
from webhookproxy.demo.programs import flask
from webhookproxy.search.index.indexing import fill

LIST_MS, SEARCH_MS = 100.0, 300.0
PASSWORD = "uma senha de medir, comprida"
# A limit that is high enough for retention to remove nothing.
DAYS_KEPT = "30"


@dataclass(frozen=True, slots=True)
class Ask:
    """A kind of page: its name, how its address is made, its limit in ms, and who may see it."""

    name: str
    address: Callable[[Chance], str]
    limit: float = LIST_MS
    for_operators: bool = True


class Chance:
    """Chooses values of the first company to ask for; the same in each run."""

    def __init__(self, events: int) -> None:
        self.events = events
        self._random = random.Random(11)

    def call(self) -> Call:
        """Return a call."""
        number = self._random.randrange(10, self.events // EVENTS_PER_CALL)
        return Call(number - number % 10)

    def event(self) -> int:
        """Return the id of an event."""
        return self.call().number * EVENTS_PER_CALL + 1

    def delivery(self) -> int:
        """Return the id of a delivery to the first webhook."""
        return (self.event() - 1) * WEBHOOKS + 1

    def agent(self) -> int:
        """Return the number of an agent."""
        return 7000 + self._random.randrange(AGENTS)


def _search(words: Callable[[Chance], str], more: str = "") -> Callable[[Chance], str]:
    return lambda chance: f"/eventos?busca={quote(words(chance))}{more}"


def _calls(phone: Callable[[Chance], str]) -> Callable[[Chance], str]:
    return lambda chance: f"/ligacoes?telefone={quote(phone(chance))}"


def _fixed(path: str) -> Callable[[Chance], str]:
    return lambda _: path


def _dressed(phone: str) -> str:
    """Return a telephone as people write it: 5542999998888 as (42) 99999-8888."""
    return f"({phone[2:4]}) {phone[4:9]}-{phone[9:]}"


COMPANY, WEBHOOK = "/empresas/company_1", "/webhooks/webhook_1"
_STATES = (
    "entregue", "aguardando", "na-fila", "nova-tentativa", "falhou", "recusada", "expirada",
    "cancelada", "simulada",
)  # fmt: skip
ASKED = (
    Ask("Painel", _fixed("/")),
    Ask("Empresas", _fixed("/empresas")),
    Ask("Empresa", _fixed(COMPANY)),
    Ask("Empresa: catálogo", _fixed(f"{COMPANY}/catalogo")),
    Ask(
        "Empresa: um evento do catálogo",
        _fixed(f"{COMPANY}/catalogo/evento?nome=call-was-connected"),
    ),
    Ask("Empresa: mês", _fixed(f"{COMPANY}/mes")),
    Ask("Empresa: diagnóstico", _fixed(f"{COMPANY}/diagnostico")),
    Ask("Webhook", _fixed(WEBHOOK)),
    Ask("Webhook que falha", _fixed(f"/webhooks/webhook_{WEBHOOKS}")),
    Ask(
        "Webhook: filtros de um evento",
        _fixed(f"{WEBHOOK}/filtros/condicoes?evento=call-was-connected"),
    ),
    Ask("Webhook: recusas", _fixed(f"{WEBHOOK}/recusas")),
    Ask("Webhook: quedas", _fixed(f"{WEBHOOK}/quedas")),
    Ask("Webhook: reenviar uma resposta", _fixed(f"{WEBHOOK}/reenviar?desde=tudo&grupo=1")),
    Ask("Webhook: reenviar desde", _fixed(f"{WEBHOOK}/reenviar")),
    Ask("Eventos", _fixed("/eventos")),
    Ask("Eventos de uma empresa", _fixed("/eventos?empresa=company_1")),
    Ask("Eventos das últimas 24 horas", _fixed("/eventos?periodo=24h")),
    Ask("Eventos, bem atrás", lambda c: f"/eventos?antes=event_{c.event()}"),
    Ask("Eventos por nome", _fixed("/eventos?evento=call-was-connected")),
    Ask("Eventos por nome raro", _fixed("/eventos?evento=agent-was-logged-out&periodo=24h")),
    Ask("Eventos por parte do nome", _fixed("/eventos?evento=was-conn")),
    Ask("Empresas por nome", _fixed("/empresas?busca=empresa")),
    Ask("Ligação", lambda c: f"{COMPANY}/ligacao?chave=call:{c.call().call}"),
    Ask("Ligações de um agente", lambda c: f"{COMPANY}/ligacao?chave=agent:{c.agent()}"),
    Ask("Entregas", _fixed("/entregas")),
    *(Ask(f"Entregas: {state}", _fixed(f"/entregas?estado={state}")) for state in _STATES),
    Ask("Entregas de um webhook", _fixed("/entregas?webhook=webhook_1")),
    Ask("Entregas, bem atrás", lambda c: f"/entregas?antes=delivery_{c.delivery()}"),
    Ask("Entregas por evento", _fixed("/entregas?evento=call-was-connected")),
    Ask("Entregas que falharam em 24 horas", _fixed("/entregas?estado=falhou&periodo=24h")),
    Ask("Tentativas que falharam", _fixed("/entregas/tentativas")),
    Ask("Tentativas de um webhook", _fixed(f"/entregas/tentativas?webhook=webhook_{WEBHOOKS}")),
    Ask("Empresas com problema", _fixed("/empresas?estado=com-problema")),
    Ask("Auditoria", _fixed("/auditoria"), for_operators=False),
    Ask("Entrega", lambda c: f"/entregas/delivery_{c.delivery()}"),
    Ask("busca: telefone, 8 últimos", _search(lambda c: c.call().phone[-8:]), SEARCH_MS),
    Ask("busca: telefone, 9 últimos", _search(lambda c: c.call().phone[-9:]), SEARCH_MS),
    Ask("ligações de um telefone", _calls(lambda c: _dressed(c.call().phone)), SEARCH_MS),
    Ask("ligações de muitos telefones", _calls(lambda _: "5542900"), SEARCH_MS),
    Ask("busca: telefone com DDD", _search(lambda c: _dressed(c.call().phone)), SEARCH_MS),
    Ask("busca: número da ligação", _search(lambda c: c.call().call), SEARCH_MS),
    Ask("busca: CPF", _search(lambda c: c.call().cpf), SEARCH_MS),
    Ask("busca: agente", _search(lambda c: f"Agente {c.agent() - 7000}"), SEARCH_MS),
    Ask("busca: começo de um valor", _search(lambda c: c.call().call[:9]), SEARCH_MS),
    Ask("busca: começo de muitos valores", _search(lambda _: "TEL000"), SEARCH_MS),
    Ask("busca: valor em quase tudo", _search(lambda _: "Campanha 1"), SEARCH_MS),
    Ask("busca: nada", _search(lambda c: f"nenhum-{c.event()}"), SEARCH_MS),
    Ask(
        "busca: agente, evento e período",
        _search(lambda c: f"Agente {c.agent() - 7000}", "&evento=call-was-finished&periodo=24h"),
        SEARCH_MS,
    ),
)


def main() -> int:
    """Measure. Return 0, or 1 if a page took too long or failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.million.lists", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=40, help="of each kind and account")
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"), help="one database")
    arguments = parser.parse_args()
    late = 0
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        if arguments.only not in (None, name):
            continue
        with database() as environment, ExitStack() as stack:
            print(
                f"{name}: {arguments.events:,} events, {arguments.events * WEBHOOKS:,} deliveries"
            )
            late += measure(environment, arguments.events, arguments.repeats, stack)
    return 1 if late else 0


@contextmanager
def _sqlite() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield settings(stack)


@contextmanager
def _postgresql() -> Iterator[dict[str, str]]:
    with postgresql.running() as server, server.database(empty=True) as url, ExitStack() as stack:
        yield {**settings(stack), "DATABASE_URL": url}


def measure(environment: dict[str, str], events: int, repeats: int, stack: ExitStack) -> int:
    """Make the data, request everything, print it. Return how many kinds failed or were slow."""
    environment["RETENTION_DAYS"] = DAYS_KEPT
    began = time.monotonic()
    make(environment, events)
    print(f"made in {time.monotonic() - began:.0f} s", flush=True)
    for email, more in (("ana@exemplo.com.br", ["--admin"]), ("beto@exemplo.com.br", [])):
        given = ["user", "create", email, "--password-stdin", *more]
        flask(environment, *given, stdin=PASSWORD + "\n")
    flask(environment, "user", "grant", "beto@exemplo.com.br", "company_1")
    began = time.monotonic()
    _fill_search(environment)
    print(f"the search was filled in {time.monotonic() - began:.0f} s", flush=True)
    server = start_server(environment, stack)
    server.wait_until_quiet()
    late = 0
    print(f"{'':44} administrator     operator    (p50 / p95, ms)")
    sessions = [log_in(server.url, f"{who}@exemplo.com.br", PASSWORD) for who in ("ana", "beto")]
    for kind in ASKED:
        allowed = sessions if kind.for_operators else sessions[:1]
        taken = [_times(server.url, each, kind, events, repeats) for each in allowed]
        if not all(taken):
            late += 1
            continue
        shown = "   ".join(f"{percentile(t, 0.5):5.0f} /{percentile(t, 0.95):5.0f}" for t in taken)
        slow = any(percentile(times, 0.95) >= kind.limit for times in taken)
        late += slow
        print(f"{kind.name:44} {shown}   {f'over {kind.limit:.0f} ms' if slow else ''}", flush=True)
    return late


def _times(
    url: str, session: requests.Session, kind: Ask, events: int, repeats: int
) -> list[float]:
    """Return how long each answer took, in milliseconds; nothing if an answer was not the page."""
    chance, times = Chance(events), []
    for _ in range(repeats):
        path = kind.address(chance)
        began = time.monotonic()
        answer = session.get(url + path, timeout=60)
        times.append((time.monotonic() - began) * 1000)
        if answer.status_code != 200:
            print(f"{path} answered {answer.status_code}")
            return []
    return times


def _fill_search(environment: dict[str, str]) -> None:
    """Put every event into the search, as `flask search rebuild` does."""
    app = create_app(environment)
    fill(app.extensions["search"])
    app.extensions["search"].close()
    app.extensions["store"].close()


if __name__ == "__main__":
    sys.exit(main())
