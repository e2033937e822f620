"""What a server sends again is told from what it sends for the first time, by order alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.listener.alignment.replay import Replay, Replayed

TEXTS = st.lists(st.sampled_from("aaab"), max_size=12)


@given(st.lists(TEXTS, min_size=1), st.data())
def test_each_event_is_new_once_however_often_the_sockets_are_lost(
    emitted: list[list[str]], data: st.DataObject
) -> None:
    replay, all_so_far, new = Replay(), list[str](), list[str]()
    for more in emitted:
        all_so_far += more
        replay.begin()
        # Another process knows what was stored only, which is the same.
        if data.draw(st.booleans()):
            replay = Replay(new)
        for text in all_so_far[: data.draw(st.integers(0, len(all_so_far)))]:
            found = replay.take(text)
            assert found is not Replayed.DOUBTFUL
            new += [text] if found is Replayed.NEW else []
        assert new == all_so_far[: len(new)]
        assert len(replay) == len(new)


def test_where_the_server_sends_something_else_it_is_kept_and_says_so() -> None:
    replay = Replay("abc")
    assert [replay.take(each) for each in "acd"] == [
        Replayed.KNOWN,
        Replayed.DOUBTFUL,
        Replayed.DOUBTFUL,
    ]
    replay.begin()
    assert [replay.take(each) for each in "acde"] == [*[Replayed.KNOWN] * 3, Replayed.NEW]
    replay.clear()
    assert replay.take("a") is Replayed.NEW
