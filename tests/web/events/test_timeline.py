"""The drawing of a call: its points, and the answers below them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import delivery_row, event_row, insert
from webhookproxy.events.call_facts import NO_FACTS
from webhookproxy.reasons import DeliveryState
from webhookproxy.web.events.arrivals import Arrival, Due
from webhookproxy.web.events.timeline import LANES_MAX, ROW_MAX, SLOT, draw, places

BEGAN = 1_795_600_000_000


def due(number: int, webhook: str) -> Due:
    return Due(number, webhook, DeliveryState.DELIVERED, 0, 200, BEGAN + 100, is_there=True)


def event(number: int, at: int, *webhooks: str) -> Arrival:
    dues = tuple(due(number * 10 + each, name) for each, name in enumerate(webhooks))
    return Arrival(
        number, f"evt_{number}", 1, "call-was-created", "call:1", BEGAN + at, dues, "", NO_FACTS
    )


@pytest.mark.parametrize("times", [[0], [0, 0, 0], [0, 20, 90_000, 86_400_000], range(ROW_MAX)])
def test_every_point_has_room_for_a_finger_and_is_inside(times: list[int]) -> None:
    found = places([event(number, at) for number, at in enumerate(times)])
    assert len(found) == len(times)
    assert all(later - earlier > SLOT - 0.02 for earlier, later in pairwise(found))
    assert found[0] > 3
    assert found[-1] < 97


@pytest.mark.parametrize(
    ("times", "distances"),
    [
        # To scale.
        ([0, 30_000, 90_000], [30, 60]),
        # The short ones get the minimum, the others stay to scale.
        ([0, 20, 40, 20_040, 60_040], [None, None, 20, 40]),
        ([0, 400, 200_400], [None, 200]),
        (range(0, 11_000, 1_000), [1] * 10),
    ],
)
def test_the_distances_are_the_times_to_scale_with_a_minimum(
    times: list[int], distances: list[float | None]
) -> None:
    found = places([event(number, at) for number, at in enumerate(times)])
    drawn = [later - earlier for earlier, later in pairwise(found)]
    scales = [each / time for each, time in zip(drawn, distances, strict=True) if time is not None]
    assert max(scales) - min(scales) < 0.01 * max(scales)
    short = [each for each, time in zip(drawn, distances, strict=True) if time is None]
    assert all(each == pytest.approx(min(drawn), abs=0.02) for each in short)
    assert found[-1] == pytest.approx(100 - SLOT / 2, abs=0.02)


def test_the_time_between_two_points_is_said_where_its_words_fit() -> None:
    (row,) = draw([event(1, 0), event(2, 2_000), event(3, 65_000)])
    assert [words for _, words in row.lapses] == ["2 s", "1 min 3 s"]
    (row,) = draw([event(n, at) for n, at in enumerate((0, 203_000, 241_800, 270_900))])
    assert [words for _, words in row.lapses] == ["3 min 23 s", "39 s", "29 s"]
    (row,) = draw([event(1, 0), event(2, 2_000), event(3, 65_000)])
    assert [point.since for point in row.points] == ["", "2 s", "1 min 3 s"]
    rows = draw([event(number, number * 1_500) for number in range(ROW_MAX + 1)])
    assert [row.lapses for row in rows] == [(), ()]
    assert rows[1].points[0].since == "1,5 s"


def test_clocks_that_went_back_do_not_move_a_point_back() -> None:
    assert places([event(1, 5_000), event(2, 0)]) == sorted(places([event(1, 5_000), event(2, 0)]))


def test_many_events_go_on_in_a_next_line_with_the_numbers_of_the_list() -> None:
    rows = draw([event(number, number * 1_000, "CRM") for number in range(30)])
    assert [len(row.points) for row in rows] == [12, 12, 6]
    assert [row.points[0].number for row in rows] == [1, 13, 25]


def test_webhooks_without_a_line_are_counted() -> None:
    names = [f"Webhook {number}" for number in range(LANES_MAX + 2)]
    (row,) = draw([event(1, 0, *names)])
    assert [name for name, _ in row.lanes] == names[:LANES_MAX]
    assert row.left_out == 2
    assert len(row.points[0].marks) == LANES_MAX


def test_each_point_says_what_it_is_and_leads_to_its_place_in_the_list(
    app: Flask, place: Place, beto: Browser
) -> None:
    payload = '{"call":{"status":"5"}}'
    insert(
        app,
        [
            event_row(1, place.company, order_key="call:1", received_ms=BEGAN),
            event_row(
                2, place.company, order_key="call:1", received_ms=BEGAN + 9_000, payload=payload
            ),
        ],
        [delivery_row(7, 2, place.webhook, ended_ms=BEGAN + 9_230)],
    )
    page = beto.get(f"/empresas/company_{place.company}/ligacao?chave=call:1").text
    drawn = page[page.index("<figure") : page.index("</figure>")]
    labels = re.findall(r'<a href="#(\w+)" aria-label="([^"]+)"', drawn)
    assert [target for target, _ in labels] == ["event_1", "event_2", "delivery_7"]
    assert labels[1][1].endswith("· call-was-connected · não atendida")
    assert "Entregue · HTTP 200 · 230 ms depois do evento 2" in labels[2][1]
    for target, _ in labels:
        assert f'id="{target}"' in page
