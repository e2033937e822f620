"""The numbers of events and deliveries."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from webhookproxy.database.fence import SHARDS
from webhookproxy.models.installation.numbers import (
    EPOCH_MS,
    after,
    floor,
    floor_above,
    following,
)

NOW_MS = EPOCH_MS + 30_000_000_000
LAST_MS = EPOCH_MS + (1 << 41) - 1


def shard_of(number: int) -> int:
    return number >> 6 & SHARDS - 1


@pytest.mark.parametrize("shard", [0, 1, SHARDS - 1])
def test_a_burst_goes_on_counting_in_its_shard(shard: int) -> None:
    given = list(islice(following(floor(NOW_MS, shard)), 10_000))
    assert given == sorted(set(given))
    assert {shard_of(each) for each in given} == {shard}
    # A burst of ten thousand is not a fifth of a second ahead of the clock.
    assert given[-1] < floor(NOW_MS + 200, shard)


def test_each_number_is_whole_in_floating_point_and_above_those_of_earlier_versions() -> None:
    assert int(float(after(floor(LAST_MS, SHARDS - 1)))) == after(floor(LAST_MS, SHARDS - 1))
    assert floor(LAST_MS, SHARDS - 1) < 1 << 53
    assert floor(NOW_MS, 0) > 10_000_000_000


@pytest.mark.parametrize("highest", [0, 63, 5_000_000, floor(NOW_MS, 63) + 63])
def test_a_new_owner_goes_on_above_whatever_was_given(highest: int) -> None:
    for shard in range(SHARDS):
        number = after(floor_above(highest, shard))
        assert number > highest
        assert shard_of(number) == shard


def test_owners_with_clocks_that_go_back_and_differ_by_an_hour_give_no_number_twice() -> None:
    chance, given = random.Random(22), set[int]()  # noqa: S311 - nothing secret
    last = {0: 0, 7: 0}
    clocks = {0: NOW_MS, 7: NOW_MS + 3_600_000}
    for _ in range(2_000):
        shard = chance.choice((0, 7))
        clocks[shard] += chance.randint(-500, 400)
        last[shard] = max(last[shard], floor(clocks[shard], shard))
        for number in islice(following(last[shard]), chance.randint(1, 200)):
            assert number > last[shard]
            assert number not in given
            given.add(number)
            last[shard] = number
