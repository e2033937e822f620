"""The index is filled beside the traffic, follows the purge, and repairs itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from tests.search.searching import Searching
from webhookproxy.search import asking, events
from webhookproxy.search.index import indexer as pacing
from webhookproxy.search.index import indexing
from webhookproxy.search.index.engines import marker_of
from webhookproxy.search.index.indexer import Indexer, Pace
from webhookproxy.search.index.indexing import fill
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.index.writing import Found, Writer


def file_of(search: Searching) -> Path:
    """Return the path of a SQLite index."""
    path = Path(str(search.reading.url.database))
    return path.with_name("test-search.sqlite")


def url_of(search: Searching) -> str:
    return search.reading.url.render_as_string(hide_password=False)


def test_the_index_goes_on_where_it_stopped(search: Searching) -> None:
    for number in range(120):
        search.store({"word": f"word-{number}"})
    search.index()
    search.store({"word": "the last"})
    again = Searching(search.app)
    again.index()
    assert [row[0] for row in search.kept("events")] == list(range(1, 122))
    assert search.find("the last") == [121]
    assert again.indexer.pause == pacing.PAUSE_IDLE


def test_what_is_purged_goes_with_its_values_and_nothing_else(search: Searching) -> None:
    ids = [search.store({"shared": "shared", "own": f"own-{number:03}"}) for number in range(10)]
    search.index()
    search.delete(*ids[2:5])
    search.indexer.gone(ids[:6])
    search.index()
    assert [row[0] for row in search.kept("events")] == ids[:2] + ids[5:]
    values = {row[2]: row[0] for row in search.kept("values")}
    assert "vown-001" in values
    assert "vown-002" not in values
    hits = {row[0] for row in search.kept("hits")}
    assert hits == set(values.values())
    assert search.find("shared") == [*reversed(ids[5:]), ids[1], ids[0]]


def test_a_sweep_finds_what_was_purged_without_a_word(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "SWEPT", 4)
    now = [0.0]
    indexer = Indexer(search.place, search.reading, clock=lambda: now[0], hub_time=lambda: 0.0)
    ids = [search.store({"n": f"own-{number:03}"}) for number in range(10)]
    while indexer.step():
        pass
    search.delete(*ids[:3], *ids[6:8])
    while indexer.step():
        pass
    assert len(search.kept("events")) == 10
    now[0] = pacing.SWEEP_FIRST
    while indexer.step():
        pass
    assert [row[0] for row in search.kept("events")] == [4, 5, 6, 9, 10]
    search.delete(4)
    now[0] += pacing.SWEEP_EVERY - 1
    assert not indexer.step()
    assert len(search.kept("events")) == 5
    now[0] += 1
    indexer.step()
    assert len(search.kept("events")) == 4


def test_an_event_committed_late_with_a_lower_number_is_found(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "SWEEP_FIRST", pacing.SWEEP_EVERY)
    now = [0.0]
    indexer = Indexer(search.place, search.reading, clock=lambda: now[0], hub_time=lambda: 0.0)

    def store(number: int) -> None:
        search.store({"n": f"own-{number:03}", "all": "shared"}, event_id=number)

    def work(seconds: float) -> None:
        now[0] += seconds
        while indexer.step():
            pass

    store(10)
    work(0)
    store(30)
    work(1)
    assert search.find("shared") == [30, 10]
    # Another owner of sockets gave this number before, and its commit took long.
    store(20)
    for _ in range(3):
        work(pacing.LOOK_BACK_EVERY)
    assert search.find("shared") == [30, 20, 10]
    assert search.find("own-020") == [20]
    # However late: the next sweep over everything finds it.
    store(5)
    work(pacing.LOOK_BACK_EVERY)
    assert search.find("shared") == [30, 20, 10]
    work(pacing.SWEEP_EVERY)
    assert search.find("shared") == [30, 20, 10, 5]


def test_events_whose_numbers_are_far_apart_are_counted_one_by_one(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "NEWEST", 3)
    monkeypatch.setattr(events, "_COUNTED", 1)
    ids = [search.store({"all": "shared"}, event_id=number << 40) for number in range(1, 7)]
    answer = search.ask("shared")
    assert (answer.ids, answer.behind) == ([*reversed(ids[3:])], 3)
    monkeypatch.setattr(asking, "BEHIND_MOST", 1)
    # One more says that there are more.
    assert search.ask("shared").behind == 2
    search.index()
    answer = search.ask("shared")
    assert (answer.ids, answer.behind) == ([*reversed(ids)], 0)


def test_more_gone_than_can_be_remembered_are_found_by_a_sweep(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "_GONE_MAX", 3)
    ids = [search.store({"n": f"own-{number:03}"}) for number in range(6)]
    search.index()
    search.delete(*ids[:5])
    search.indexer.gone(ids[:2])
    search.indexer.gone(ids[2:5])
    search.index()
    assert [row[0] for row in search.kept("events")] == [6]


@pytest.mark.parametrize(
    "error",
    [KeyError("a bug"), DataError("", {}, Exception()), IntegrityError("", {}, Exception())],
    ids=lambda error: type(error).__name__,
)
def test_one_event_that_fails_is_left_out_alone(
    search: Searching, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    add = Writer.add

    def failing(writer: Writer, connection: Any, state: Any, events: Sequence[Found]) -> None:
        add(writer, connection, state, events)
        if any(event.id == 3 for event in events):
            raise error

    monkeypatch.setattr(Writer, "add", failing)
    for number in range(6):
        search.store({"n": f"own-{number:03}"})
    search.index()
    assert [row[0] for row in search.kept("events") if row[1]] == [1, 2, 4, 5, 6]
    assert search.find("own-005") == [6]
    assert search.find("own-002") == []
    # No sweep tries it again, which would end there each time.
    search.index()
    assert search.place.run(lambda work: indexing.sweep(work, after=0)) is None
    # One that an earlier version left out is tried, and does not keep the others from being found.
    search.place.run(lambda work: work.writer.remove(work.connection, work.state, [3, 5]))
    now = [0.0]
    indexer = Indexer(search.place, search.reading, clock=lambda: now[0], hub_time=lambda: 0.0)
    now[0] = pacing.SWEEP_FIRST
    while indexer.step():
        pass
    assert [row[0] for row in search.kept("events")] == [1, 2, 3, 4, 5, 6]
    assert search.find("own-004") == [5]


@pytest.mark.parametrize("error", [OSError("full"), OperationalError("", {}, Exception())])
def test_a_place_out_of_reach_is_tried_again_and_complained_of_once(
    search: Searching,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise error

    search.store({"n": "one"})
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "add", fail)
        for _ in range(3):
            assert not search.indexer.step()
            assert search.indexer.pause == pacing.PAUSE_TROUBLE
    assert caplog.text.count("the search is not filled for now") == 1
    assert search.find("one") == [1]
    search.index()
    assert len(search.kept("events")) == 1


def test_a_locked_index_leaves_no_event_out(
    sqlite_search: Searching, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_search.index()
    sqlite_search.place.run(
        lambda work: work.connection.exec_driver_sql("PRAGMA busy_timeout = 10").close()
    )
    sqlite_search.store({"n": "one"})
    with closing(sqlite3.connect(file_of(sqlite_search), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            assert not sqlite_search.indexer.step()
            assert sqlite_search.indexer.pause == pacing.PAUSE_TROUBLE
    assert "not indexed" not in caplog.text
    sqlite_search.index()
    assert len(sqlite_search.kept("events")) == 1


def test_an_event_without_readable_terms_is_passed_over(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise RecursionError

    monkeypatch.setattr(indexing, "terms_of", fail)
    search.store({"n": "one"})
    search.index()
    monkeypatch.undo()
    search.store({"n": "two"})
    search.index()
    assert search.find("two") == [2]
    assert search.find("one") == []


@pytest.mark.parametrize(
    "payload", ["", "{", "null", "7", "NaN", '{"a": "\\ud800"}', '{"a": "a\\u0000b", "b": NaN}']
)
def test_an_odd_payload_is_found_by_its_name(search: Searching, payload: str) -> None:
    search.store(payload, name="odd")
    for _ in range(2):
        assert search.find(name="odd") == [1]
        search.index()


def test_a_batch_that_is_cut_off_is_indexed_the_next_time(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        search.store({"n": f"own-{number:03}"})

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("webhookproxy.search.index.tables.write_state", killed)
        with pytest.raises(SystemExit):
            search.indexer.step()
    assert search.find("own-003") == [4]
    search.index()
    assert [row[0] for row in search.kept("events")] == [1, 2, 3, 4, 5, 6]
    assert search.find("own-003") == [4]


def test_a_void_place_is_filled_anew(search: Searching) -> None:
    search.store({"n": "one"})
    search.index()
    search.place.void()
    assert search.find("one") == [1]
    search.index()
    assert [row[0] for row in search.kept("events")] == [1]
    assert search.find("one") == [1]


def test_another_process_fills_a_void_place_and_this_one_goes_on_with_it(
    search: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        search.store({"n": f"own-{number:03}"})
    search.index()
    other = SearchPlace(url_of(search))
    monkeypatch.setattr("webhookproxy.search.index.indexing._FILL_MOST", 60)

    def killed(_indexed: int, _newest: int) -> None:
        raise KeyboardInterrupt

    other.void()
    with pytest.raises(KeyboardInterrupt):
        fill(other, killed)
    other.close()
    assert search.ask("own-007").ids == [8]
    search.store({"n": "the last"})
    search.index()
    # Read like another process, not through a file that this one may still have open.
    search.app.extensions["search"] = SearchPlace(url_of(search))
    assert [row[0] for row in Searching(search.app).kept("events")] == list(range(1, 102))
    search.place.close()


def test_a_place_of_another_database_is_made_anew(search: Searching) -> None:
    for number in range(5):
        search.store({"n": f"own-{number:03}"})
    search.index()
    # As after a restore: the numbers are the same, the events are not.
    search.write(
        lambda connection: (
            connection.execute(
                text(
                    """UPDATE events SET public_id = public_id || 'x', payload = '{"n": "other"}'"""
                )
            )
            and None
        )
    )
    search.place.close()
    search.app.extensions["search"] = SearchPlace(url_of(search))
    search = Searching(search.app)
    search.index()
    assert search.find("own-003") == []
    assert search.find("other") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("used", "pace"), [(0.3, pacing.BUSY), (0.7, pacing.FULL)], ids=["busy", "full"]
)
def test_the_more_a_hub_does_the_longer_it_is_left_alone(
    search: Searching, monkeypatch: pytest.MonkeyPatch, used: float, pace: Pace
) -> None:
    # Index one event in a step.
    monkeypatch.setattr(indexing, "_READ", 1)
    monkeypatch.setattr(pacing, "BUSY", Pace(0.0, pacing.BUSY.rest))
    monkeypatch.setattr(pacing, "FULL", Pace(0.0, pacing.FULL.rest))
    hub, now = [0.0], [0.0]
    indexer = Indexer(search.place, search.reading, clock=lambda: now[0], hub_time=lambda: hub[0])
    index_next = indexing.index_next

    def slow(*given: Any, **named: Any) -> tuple[int, int]:
        now[0] += 0.02
        return index_next(*given, **named)

    monkeypatch.setattr(indexing, "index_next", slow)
    for number in range(3):
        search.store({"n": f"own-{number:03}"})
    now[0], hub[0] = 1.0, used
    assert indexer.step()
    assert indexer.pause == pytest.approx(0.02 * pace.rest)
    assert [row[0] for row in search.kept("events")] == [1]
    now[0], hub[0] = 2.0, used + 0.1
    monkeypatch.setattr(pacing, "IDLE", Pace(10.0, 0))
    assert not indexer.step()
    assert indexer.pause == pacing.PAUSE_IDLE
    assert len(search.kept("events")) == 3


def test_a_database_in_memory_has_no_place_and_is_searched_all_the_same(tmp_path: Path) -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"):
        place = SearchPlace(url)
        assert not place.kept
        place.void()
        place.forget_old_bytes()
        place.close()
    assert SearchPlace(f"sqlite:///file:{tmp_path}/a.sqlite?uri=true").kept


def damage(path: Path, how: str) -> None:
    """Leave a file that is only partly written."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    if how == "no database":
        path.write_bytes(b"x" * len(whole))
    elif how == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


@pytest.mark.parametrize("how", ["no database", "cut off", "empty", "overwritten"])
def test_a_damaged_file_breaks_no_page_and_is_made_anew(sqlite_search: Searching, how: str) -> None:
    search = sqlite_search
    for number in range(300):
        search.store({"n": f"own-{number:03}"})
    search.index()
    search.place.close()
    damage(file_of(search), how)
    assert search.find("own-007") == [8]
    assert marker_of(file_of(search)).exists() is (how != "empty")
    search.store({"n": "the last"})
    for _ in range(50):
        search.indexer.step()
    assert [row[0] for row in search.kept("events")] == list(range(1, 302))
    assert search.find("the last") == [301]


def test_unlogged_tables_that_a_crash_emptied_are_filled_again(
    postgresql_search: Searching,
) -> None:
    search = postgresql_search
    for number in range(30):
        search.store({"n": f"own-{number:03}"})
    search.index()

    def crash(connection: Any) -> None:
        for table in ("values", "hits", "events", "state"):
            connection.exec_driver_sql(f"TRUNCATE webhookproxy_search.search_{table}")

    search.write(crash)
    assert search.find("own-007") == [8]
    search.index()
    assert len(search.kept("events")) == 30
