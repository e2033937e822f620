"""A person's number is found in all stored data, and masked while a server runs."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent.event import Event as Signal
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from tests.delivery.lanes_world import Sending, hurry, sending
from tests.search.searching import Searching
from tests.support import application as world
from tests.support.application import rows, store_of, wait_until
from tests.support.databases import QUICK_ON_SQLITE
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.database.clock import ms_now
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.events.call_facts import CallFacts
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.payload import Event, read
from webhookproxy.events.recovery.comparison import AtWebhook, Call, Compared, Lacking
from webhookproxy.listener.routes import Arrival
from webhookproxy.maintenance import personal_rows, privacy
from webhookproxy.maintenance.personal import PersonalNumber, read_number
from webhookproxy.maintenance.privacy import Expunged, expunge, find
from webhookproxy.models.audit import CLI
from webhookproxy.models.events import Event as StoredEvent
from webhookproxy.models.installation.numbers import floor
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.search.index import masking
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.index.writing import Writer

PHONE = "11987654321"
SHOWN = "+55 (11) 98765-4321"
# Longer than what the numbers of events and the moments of a run may have by chance.
PARTS = ("987654321", "98765-4321")
URL = "http://127.0.0.1:4009/"


@pytest.fixture
def half(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    monkeypatch.setattr(personal_rows, "BATCH", 3)
    hurry(monkeypatch)
    with sending(any_app) as half:
        yield half


def number() -> PersonalNumber:
    return read_number(PHONE)


def arrive(half: Sending, *payloads: Any, offer: bool = True) -> None:
    """Store events with these payloads; a phone in a chat's id is the ordering key too."""
    arrivals = []
    for payload in payloads:
        event = read(f'["new-message-whatsapp",{json.dumps(payload)}]', hide_credentials=False)
        arrivals.append(as_arrival(half, event))
    dues = half.journal.write(arrivals, half._fence, again=False).dues
    if offer:
        half.lanes.offer(dues)


def as_arrival(half: Sending, event: Any) -> Arrival:
    made = half._arrival(None, event.name)
    return Arrival(
        made.company_id,
        event,
        made.public_id,
        made.socket_id,
        made.token_mask,
        made.received_ms,
        made.note,
        made.routes,
    )


def run_expunge(half: Sending) -> Expunged:
    return expunge(half.store, half.reading, half.app.extensions["search"], number(), CLI)


def everything(app: Flask) -> str:
    """Return all cells of all tables as text."""
    names = ("events", "deliveries", "attempts", "audit", "changes", "webhook_health", "gaps")
    return "\n".join(str(rows(app, f"SELECT * FROM {name}")) for name in names)


def test_nothing_is_found_where_nothing_is(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    arrive(half, {"phone": "11987654322"})
    found = find(half.reading, number())
    assert (found.events, found.attempts, found.waiting, found.settings) == (0, 0, 0, [])
    assert run_expunge(half) == Expunged()


def test_payloads_keys_and_answers_are_masked_in_place(half: Sending) -> None:
    def echo(got: Received) -> Plain:
        return 200, {}, got.body

    with Receiver(echo) as receiver:
        webhook = half.webhook(receiver.url())
        arrive(half, {"phone": SHOWN, "n": 1.10}, {"chat": {"id": f"55{PHONE}@c.us"}})
        arrive(half, *({"n": each} for each in range(5)), {"cpf": int(PHONE)})
        half.wait_for_ends(webhook, 8)
        assert half.lanes.results.drain(20)
    answered = (
        f"UPDATE attempts SET answer_headers = 'x-asked: {PHONE}'"
        " WHERE delivery_id = (SELECT MIN(id) FROM deliveries)"
    )
    store_of(half.app).run(lambda connection: connection.execute(text(answered)) and None)
    found = find(half.reading, number())
    assert (found.companies, found.attempts) == (Counter({half.company: 3}), 3)
    assert found.waiting == 0
    assert run_expunge(half) == Expunged(events=3, attempts=3)
    stored = rows(half.app, "SELECT payload, order_key, note FROM events ORDER BY id")
    assert len(stored) == 8
    assert [row.payload for row in stored if row.note == "masked"] == [
        '{"phone": "[oculto]", "n": 1.1}',
        '{"chat": {"id": "[oculto]@c.us"}}',
        '{"cpf": "[oculto]"}',
    ]
    left = everything(half.app)
    assert not any(part in left for part in PARTS)
    assert find(half.reading, number()).events == 0
    half.check_totals(webhook)


def test_the_search_forgets_the_number_at_once_and_finds_the_rest(half: Sending) -> None:
    search = Searching(half.app)
    arrive(half, {"phone": SHOWN, "name": "Ana"}, {"phone": "11987654322", "name": "Rui"})
    search.index()
    arrive(half, {"phone": SHOWN, "name": "Eva"})
    ana, rui, eva = half.event_ids()
    for typed in (SHOWN, PHONE, "987654321"[1:], "+55 (11) 98765-4321"):
        assert search.find(typed, companies=frozenset({half.company})) == [eva, ana]
    run_expunge(half)
    for _ in range(2):
        found = [
            search.find(typed, companies=frozenset({half.company}))
            for typed in (SHOWN, PHONE, "+55 (11) 9", "ana", "eva", "rui")
        ]
        assert found == [[], [], [], [ana], [eva], [rui]]
        search.index()
    assert not any("87654321" in str(row) for row in search.kept("values"))


def test_a_search_that_cannot_be_masked_is_thrown_away(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("full"))

    search = Searching(half.app)
    arrive(half, {"phone": SHOWN})
    search.index()
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "remove", fail)
        run_expunge(half)
    assert search.kept("values") == []


def test_a_database_that_lets_no_search_be_made_is_masked_all_the_same(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ProgrammingError("", {}, Exception("permission denied"))

    monkeypatch.setattr("webhookproxy.search.index.tables.make_tables", refuse)
    search = Searching(half.app)
    arrive(half, {"phone": SHOWN}, {"phone": "11987654322"})
    search.index()
    companies = frozenset({half.company})
    first, second = half.event_ids()
    assert search.find(SHOWN, companies=companies) == [first]
    assert run_expunge(half).events == 1
    assert search.find(SHOWN, companies=companies) == []
    assert search.find("11987654322", companies=companies) == [second]


def test_what_waits_of_a_masked_event_is_cancelled_also_in_a_running_lane(half: Sending) -> None:
    go_on = Signal()

    def slow(_got: Received) -> Plain:
        go_on.wait(10)
        return OK

    with Receiver(slow) as receiver:
        webhook = half.webhook(receiver.url())
        other = half.webhook(URL, state=WebhookState.PAUSED)
        # One ordering key: the lane holds the others in memory while the first is being sent.
        arrive(half, {"agent_id": 5, "n": 1})
        receiver.wait_for(1)
        arrive(half, {"agent_id": 5, "phone": SHOWN}, {"agent_id": 5, "n": 2})
        assert find(half.reading, number()).waiting == 2
        assert run_expunge(half) == Expunged(events=1, cancelled=2)
        half.lanes.attend({webhook: []})
        go_on.set()
        half.wait_for_ends(webhook, 3)
    states = half.states(webhook)
    assert [state for state, _ in states] == ["delivered", "cancelled", "delivered"]
    assert states[1] == ("cancelled", "expunged")
    assert len(receiver.requests) == 2
    bodies = b"".join(each.body for each in receiver.requests)
    assert not any(part in bodies.decode() for part in PARTS)
    assert b"oculto" not in bodies
    assert half.states(other)[1] == ("cancelled", "expunged")
    half.check_totals(webhook)
    half.check_totals(other)


def test_the_audit_has_counts_and_not_the_number(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    arrive(half, *({"phone": SHOWN, "n": each} for each in range(7)))
    run_expunge(half)
    found = rows(half.app, "SELECT who, action, detail FROM audit ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("cli", "privacy_expunge", "begun"),
        ("cli", "privacy_expunge", "7 events, 0 attempts, 7 cancelled"),
    ]


def test_an_expunge_that_is_cut_short_says_how_far_it_came_and_is_run_again(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    arrive(half, *({"phone": SHOWN, "n": each} for each in range(7)))
    mask = privacy._mask_events
    left = [1, 2]

    def failing(session: Any, batch: Any) -> int:
        if not left:
            raise StoreUnavailable("full")
        left.pop()
        return mask(session, batch)

    monkeypatch.setattr(privacy, "_mask_events", failing)
    with pytest.raises(StoreUnavailable):
        run_expunge(half)
    details = [row[0] for row in rows(half.app, "SELECT detail FROM audit ORDER BY id")]
    assert details == ["begun", "6 events, 0 attempts, 6 cancelled"]
    monkeypatch.setattr(privacy, "_mask_events", mask)
    assert run_expunge(half) == Expunged(events=1, cancelled=1)


def commit_elsewhere(half: Sending, number: int) -> None:
    """Commit an event that another owner received before, and numbered so."""
    names = ", ".join(each.name for each in StoredEvent.__table__.columns if each.name != "id")
    given = names.replace("public_id", f"'evt_elsewhere_{number:018}'")
    given = given.replace("payload", f"'{json.dumps({'phone': SHOWN})}'")
    half.execute(
        f"INSERT INTO events (id, {names}) SELECT {number}, {given} FROM events"
        f" WHERE id = {half.event_ids()[0]}"
    )


def test_what_other_owners_commit_meanwhile_is_masked_if_it_arrived_before(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(half, *({"phone": SHOWN, "n": each} for each in range(4)), offer=False)
    first, *_, last = half.event_ids()
    # Stored by a clock that was set back since.
    half.execute(f"UPDATE events SET received_ms = received_ms + 3600000 WHERE id = {last}")
    put_back, numbers = masking.put_back, [first - 1, floor(ms_now() + 3_600_000, 5)]

    def meanwhile(search: SearchPlace, ids: list[int]) -> None:
        put_back(search, ids)
        if numbers:
            for each in numbers:
                commit_elsewhere(half, each)
            numbers.clear()
            # It arrives after all that was asked for.
            half.skew = 60.0
            arrive(half, {"phone": SHOWN}, offer=False)

    monkeypatch.setattr(masking, "put_back", meanwhile)
    assert run_expunge(half).events == 6
    found = rows(half.app, "SELECT id FROM events WHERE payload NOT LIKE '%oculto%'")
    assert [row.id for row in found] == half.event_ids()[-2:-1]


def test_settings_are_reported_and_left_alone(half: Sending) -> None:
    webhook = half.webhook(
        f"{URL}?to={PHONE}",
        name=f"Ana {SHOWN}",
        state=WebhookState.PAUSED,
        headers=(("X-Owner", PHONE),),
    )
    found = find(half.reading, number())
    assert found.settings == [f"webhook_{webhook} {field}" for field in ("name", "url", "headers")]
    run_expunge(half)
    assert find(half.reading, number()).settings == found.settings


def execute_text(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def test_what_a_filter_asks_for_is_masked_in_deliveries_and_reported_in_the_filter(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_rows, "BATCH", 2)
    condition = Condition("call.phone", Operator.DIFFERENT, PHONE)
    webhook = half.webhook(URL, filters={"x": (condition,)})
    assert find(half.reading, number()).filtered == 0
    columns = "id, event_id, webhook_id, order_key, state, reason, tries, attempts, born_ms"
    for delivery in range(901, 906):
        words = condition.words() if delivery < 905 else "call.phone é diferente de 1"
        values = f"{delivery}, 1, {webhook}, 'k', 'filtered', 'filtered_out', 0, 0, 0"
        insert = f"INSERT INTO deliveries ({columns}, condition) VALUES ({values}, '{words}')"
        half.store.run(partial(execute_text, statement=insert))
    found = find(half.reading, number())
    assert (found.filtered, found.settings) == (4, [f"webhook_{webhook} filters"])
    run_expunge(half)
    assert find(half.reading, number()).filtered == 0
    query = "SELECT condition, COUNT(*) FROM deliveries WHERE id > 900 GROUP BY condition"
    assert sorted(tuple(row) for row in rows(half.app, query)) == [
        ("call.phone é diferente de 1", 1),
        ("call.phone é diferente de [oculto]", 4),
    ]


def test_the_old_bytes_are_not_in_the_files_any_more(sqlite_url: str, tmp_path: Path) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))

    def held() -> list[bool]:
        index = path.with_name("test-search.sqlite")
        ends = ("", "-wal")
        files = [each.with_name(each.name + end) for each in (path, index) for end in ends]
        texts = (b"98765-4321", b"5511987654321", b"1234567891155")
        return [any(text in each.read_bytes() for text in texts) for each in files if each.exists()]

    with world.application(sqlite_url, tmp_path) as app, sending(app) as half:
        half.webhook(URL, state=WebhookState.PAUSED)
        for size in (1, 500, 9_000, 60_000):
            arrive(half, {"fill": "x" * size, "phone": SHOWN, "more": "y" * size})
        Searching(app).index()
        assert any(held())
        assert run_expunge(half).events == 4
        wait_until(lambda: not any(held()), 20, "the bytes are gone")
        switch = half.store.run(
            lambda connection: connection.exec_driver_sql("PRAGMA secure_delete").scalar()
        )
        assert switch == 0


@QUICK_ON_SQLITE
def test_a_search_holds_the_hub_for_no_long_text(half: Sending) -> None:
    for fill in ("0    ", "0 0 5 5 ", "1\\u00a0"):
        arrive(half, *({"fill": fill * (900_000 // len(fill)), "phone": SHOWN} for _ in range(2)))
    held: list[tuple[float, float]] = []

    def tick() -> None:
        hub, whole = time.thread_time(), time.process_time()
        while True:
            gevent.sleep(0.0001)
            held.append((time.thread_time() - hub, time.process_time() - whole))
            hub, whole = time.thread_time(), time.process_time()

    def longest() -> tuple[float, float]:
        ticking = gevent.spawn(tick)
        gevent.sleep(0.01)
        held.clear()
        assert find(half.reading, number()).events == 6
        ticking.kill()
        return max(hub for hub, _ in held), max(whole for _, whole in held)

    hub, whole = longest()
    # What other threads of the tests did meanwhile is not there each time.
    for _ in range(4):
        if hub < 0.02 and whole < 0.1:
            break
        hub, whole = map(min, (hub, whole), longest())
    assert hub < 0.02
    # Together with the thread that looks at the texts, which must let the hub go on.
    assert whole < 0.1


def test_long_texts_are_read_a_few_at_a_time(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_rows, "BATCH", 100)
    arrive(half, *({"fill": "x" * 90_000, "phone": SHOWN} for _ in range(7)))
    everything_until_now = personal_rows.events_until(ms_now(), half.reading)
    batches = personal_rows.rows_with(half.reading, number(), everything_until_now)
    assert [len(batch) for batch in batches] == [3, 3, 1]


def test_a_second_search_at_the_same_time_is_refused(half: Sending) -> None:
    arrive(half, {"phone": SHOWN})
    first = gevent.spawn(find, half.reading, number())
    gevent.sleep(0)
    with pytest.raises(Refused, match="wait until it ends"):
        run_expunge(half)
    assert first.get(timeout=60).events == 1
    assert run_expunge(half).events == 1


def test_an_area_code_in_a_field_of_its_own_is_reported_for_a_person_to_look_at(
    half: Sending,
) -> None:
    arrive(half, {"ddd": "11", "n": "987654321"}, {"ddd": "21", "n": "987654321"}, {"n": SHOWN})
    first = rows(half.app, "SELECT public_id, payload FROM events ORDER BY id")[0]
    for events in (1, 0):
        found = find(half.reading, number())
        assert (found.events, found.apart, found.apart_count) == (events, [first.public_id], 1)
        run_expunge(half)
    assert rows(half.app, "SELECT payload FROM events ORDER BY id")[0].payload == first.payload


def test_the_calls_of_a_comparison_are_masked(half: Sending) -> None:
    called = [CallFacts(telephone=SHOWN, agent="Ana"), CallFacts(telephone="11987654322")]
    calls = [Call(f"h{at}", 1_795_600_000_000 + at, facts) for at, facts in enumerate(called)]
    result = Compared(2, 0, missing=calls, webhooks=[AtWebhook(1, {}, [Lacking(7, 0)])])
    insert = text(
        "INSERT INTO day_comparisons (company_id, day, asked_by, asked_ms, since_ms, until_ms,"
        " state, next_ms, result) VALUES (:company, 1, 'ana', 1, 1, 2, 'finished', 1, :result)"
    )
    given = {"company": half.company, "result": result.to_json()}
    half.store.run(lambda connection: connection.execute(insert, given) and None)
    found = find(half.reading, number())
    assert (found.comparisons, found.anything) == (1, True)
    run_expunge(half)
    assert not find(half.reading, number()).anything
    (row,) = rows(half.app, "SELECT result FROM day_comparisons")
    calls[0] = replace(calls[0], facts=CallFacts(telephone="[oculto]", agent="Ana"))
    assert Compared.from_json(row.result) == result


def test_names_of_events_are_masked_also_where_they_are_counted_or_resent(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED, events=(f"evt-{PHONE}", "x"))
    names = (f"evt-{PHONE}", "evt-11 98765 4321", "evt-[oculto]", "x")
    arrivals = [as_arrival(half, Event(name, "{}", "k", 0)) for name in names]
    half.journal.write(arrivals, half._fence, again=False)
    columns = "company_id, webhook_id, asked_by, asked_ms, states, event, begins, upto, cursor"
    for each in (PHONE, "x"):
        bulk = (
            f"INSERT INTO bulk_resends ({columns}, total, total_is_cut, queued, skipped, delivered,"
            f" failed, waiting, state) VALUES ({half.company}, {webhook}, 'ana', 0, '[]', '{each}',"
            " 0, 0, 0, 0, FALSE, 0, 0, 0, 0, '[]', 'finished')"
        )
        half.store.run(partial(execute_text, statement=bulk))
    found = find(half.reading, number())
    assert (found.events, found.names) == (2, 3)
    assert found.settings == [f"webhook_{webhook} events"]
    run_expunge(half)
    assert find(half.reading, number()).names == 0
    stored = rows(half.app, "SELECT name, note FROM events ORDER BY id")
    assert [row.name for row in stored] == ["evt-[oculto]"] * 3 + ["x"]
    counted = rows(half.app, "SELECT name, SUM(count) AS n FROM hourly_events GROUP BY name")
    assert sorted(tuple(row) for row in counted) == [("evt-[oculto]", 3), ("x", 1)]
    resends = rows(half.app, "SELECT event FROM bulk_resends ORDER BY id")
    assert [row[0] for row in resends] == ["[oculto]", "x"]


def test_a_store_that_takes_nothing_masks_nothing(half: Sending, monkeypatch: Any) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("full")

    arrive(half, {"phone": SHOWN})
    monkeypatch.setattr(Store, "run", refuse)
    with pytest.raises(StoreUnavailable):
        run_expunge(half)
    assert find(half.reading, number()).events == 1
