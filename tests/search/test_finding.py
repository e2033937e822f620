"""A typed text finds the meant event, before it is indexed and after, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.searching import Searching
from tests.support.application import rows

CALL = {
    "call": {
        "id": "call:4242:9001:TEL0000001",
        "telephony_id": "TEL0000001",
        "phone": "5542999998888",
        "dialed_time": "1790000000",
    },
    "agent": {"id": 7007, "name": "José  da Conceição", "active": True, "email": None},
    "mailing": {"cpf": "123.456.789-09", "tags": ["vip", "são paulo"]},
    "at": "2026-11-23T12:00:00.123456+00:00",
    "api_token": "[oculto]",
}
FOUND = [
    "5542999998888",
    "(42) 99999-8888",
    "42 99999 8888",
    "+55 42 99999-8888",
    "42999998888",
    "99998888",
    "9999-98888",
    "0 42 99999 8888",
    "4299998888",
    "123.456.789-09",
    "12345678909",
    "123.456",
    "TEL0000001",
    "tel00000",
    "call:4242:9001",
    "call:TEL0000001",
    "7007",
    "jose da conceicao",
    "JOSÉ DA",
    "jose da c",
    "são Paulo",
    "vip",
    "call-was-conn",
    "jose 99998888",
    "jose tel0000001",
]
NOT_FOUND = [
    "99998889",
    "conceicao",
    "2026-11-23T12:00:00.123456+00:00",
    "1790000000",
    "[oculto]",
    "oculto",
    "true",
    "jose 99998889",
    "\u00b4",
]


@pytest.mark.parametrize("indexed", [False, True], ids=["before it is indexed", "indexed"])
def test_what_is_typed_finds_the_event_and_nothing_else(search: Searching, indexed: bool) -> None:
    search.store({"call": {"telephony_id": "OTHER", "phone": "5511988887777"}})
    wanted = search.store(CALL)
    search.store({"call": {"telephony_id": "OTHER", "phone": "5511988887777"}}, company=2)
    if indexed:
        search.index()
    assert {typed: search.find(typed) for typed in FOUND if typed != "call-was-conn"} == {
        typed: [wanted] for typed in FOUND if typed != "call-was-conn"
    }
    assert search.find("call-was-conn") == [wanted, wanted - 1]
    assert {typed: search.find(typed) for typed in NOT_FOUND} == {typed: [] for typed in NOT_FOUND}
    assert search.find(name="call-was-connected") == [wanted, wanted - 1]
    assert search.find(name="call-was") == []
    assert search.find(order_key="call:TEL0000001") == [wanted]
    assert search.find(order_key="call:TEL000000") == []
    assert search.find("7007", name="call-was-connected", order_key="call:TEL0000001") == [wanted]
    assert search.find("7007", name="other") == []


def test_a_company_never_finds_anothers(search: Searching) -> None:
    mine, other = search.store({"a": "the same"}), search.store({"a": "the same"}, company=2)
    for _ in range(2):
        assert search.find("the same") == [mine]
        assert search.find("the same", companies=frozenset({2})) == [other]
        assert search.find("the same", companies=frozenset({1, 2})) == [other, mine]
        assert search.find("the same", companies=frozenset()) == []
        assert search.find(companies=frozenset({2})) == [other]
        assert search.find(companies=frozenset()) == []
        search.index()


def test_pages_go_both_ways_over_the_edge_of_the_index(search: Searching) -> None:
    for number in range(1, 31):
        search.store({"word": "needle", "number": f"n{number:03}"})
        if number == 20:
            search.index()
    asked: list[dict[str, Any]] = [{"words": "needle"}, {"name": "call-was-connected"}, {}]
    for narrowed in asked:
        seen: list[int] = []
        before = None
        while True:
            page = search.ask(count=7, before=before, **narrowed)
            seen += page.ids
            if not page.more:
                break
            before = page.ids[-1]
        assert seen == list(range(30, 0, -1))
        assert search.ask(count=7, after=12, **narrowed).ids == list(range(19, 12, -1))
        assert search.ask(count=7, after=17, **narrowed).ids == list(range(24, 17, -1))
        assert not search.ask(count=7, after=23, **narrowed).more
        assert search.ask(since=5, until=8, **narrowed).ids == [7, 6, 5]


def test_an_event_is_found_by_its_own_id(search: Searching) -> None:
    wanted = search.store({"a": 1})
    public_id = rows(search.app, "SELECT public_id FROM events")[0][0]
    assert search.find(public_id) == [wanted]
    assert search.find(public_id, companies=frozenset({2})) == []
    assert search.find(public_id[:-1] + "x") == []


def test_too_many_values_are_said(search: Searching) -> None:
    for number in range(250):
        search.store({"n": f"value-{number:03}"})
    search.index()
    assert search.ask("value-01").ids == list(range(20, 10, -1))
    assert not search.ask("value-01").cut
    assert search.ask("value").cut


def test_what_was_removed_does_not_show_though_it_is_indexed(search: Searching) -> None:
    ids = [search.store({"word": "needle"}) for _ in range(5)]
    search.index()
    search.delete(ids[0], ids[2])
    assert search.find("needle") == [ids[4], ids[3], ids[1]]
    assert search.ask("needle", count=2).more


def test_values_of_which_one_has_many_events_and_others_few_are_merged(search: Searching) -> None:
    # More of each than one read takes, and two events with both values.
    for number in range(1, 401):
        payload = {"a": "needle-one"} if number % 4 else {"a": "needle-two", "b": f"x{number:03}"}
        search.store({**payload, "c": "needle-one"} if number in (200, 204) else payload)
    search.index()
    wanted = list(range(400, 0, -1))
    seen: list[int] = []
    while len(seen) < 400:
        page = search.ask("needle", count=30, before=seen[-1] if seen else None)
        assert page.more == (len(seen) + len(page.ids) < 400)
        seen += page.ids
    assert seen == wanted
    assert search.ask("needle", count=120, after=100).ids == wanted[180:300]
    assert search.ask("needle", count=400).ids == wanted


def test_nothing_is_passed_over_where_few_of_many_values_fit_the_rest(search: Searching) -> None:
    wanted = []
    for number in range(1, 401):
        name = "wanted" if number % 10 == 0 else "other"
        word = "needle-one" if number % 4 else "needle-two"
        wanted.append(search.store({"a": word}, name=name))
        search.store({"a": "hay"}, name="wanted")
    search.index()
    fitting = wanted[9::10]
    assert search.ask("needle", name="wanted").ids == fitting[::-1]
    assert search.ask("needle", name="wanted", after=fitting[4], count=5).ids == fitting[9:4:-1]
    assert search.ask("needle", name="wanted", after=0).ids == fitting[::-1]
