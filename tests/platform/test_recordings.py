"""What 3C Plus says when it is asked for a recording, and who sees the token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import gevent
import pytest

from tests.support.receiver import Plain, Receiver, hang
from webhookproxy.network.addresses import Policy
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.pace import Pace
from webhookproxy.platform.recordings import (
    IN_ALL,
    OF_COMPANY,
    RecordingError,
    Recordings,
    RecordingTrouble,
    usable_range,
)
from webhookproxy.platform.rest import Access

TOKEN = "canary-token-of-recordings-0001"
PRIVATE = Policy(allow_private=True)
AUDIO = {"Content-Type": "audio/mpeg"}
SOUND = b"sound" * 100


def recordings(policy: Policy = PRIVATE, *, pause: float = 0.0) -> Recordings:
    client = Client(policy, shared_resolver(), max_idle=0, streamed_max=1_000_000)
    return Recordings(policy, client, Pace(seconds=0.0), Pace(seconds=pause))


def access(receiver: Receiver) -> Access:
    return Access(1, receiver.url("").rstrip("/"), TOKEN, "7")


@pytest.fixture
def elsewhere() -> Iterator[Receiver]:
    with Receiver((200, AUDIO, SOUND)) as receiver:
        yield receiver


def heard(receiver: Receiver, wanted_range: str = "") -> tuple[int, bytes, Mapping[str, str]]:
    audio = recordings().ask(access(receiver), "65f0", wanted_range)
    try:
        return audio.status, b"".join(audio.pieces()), audio.headers
    finally:
        audio.close()


def test_a_recording_is_asked_for_with_the_token_in_its_header_alone(receiver: Receiver) -> None:
    receiver.answer = (200, {**AUDIO, "Accept-Ranges": "bytes"}, SOUND)
    sizes = {"Content-Length": str(len(SOUND)), "Accept-Ranges": "bytes"}
    assert heard(receiver) == (200, SOUND, sizes)
    (asked,) = receiver.requests
    assert (asked.method, asked.path) == ("GET", "/api/v1/calls/65f0/recording")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (asked.headers["X-Agent-Id"], "Range" in asked.headers) == ("7", False)
    assert TOKEN not in repr(access(receiver))


def test_a_part_is_passed_on_with_its_place(receiver: Receiver) -> None:
    place = f"bytes 5-9/{len(SOUND)}"
    receiver.answer = (206, {**AUDIO, "Content-Range": place}, SOUND[5:10])
    status, sound, headers = heard(receiver, "bytes=5-9")
    assert (status, sound, headers["Content-Range"]) == (206, b"sound", place)
    assert receiver.requests[0].headers["Range"] == "bytes=5-9"


def test_a_redirect_gets_no_token_and_is_followed_once(
    receiver: Receiver, elsewhere: Receiver
) -> None:
    receiver.answer = (302, {"Location": elsewhere.url("/a.mp3?signed=1")}, b"")
    assert heard(receiver, "bytes=0-")[1] == SOUND
    (asked,) = elsewhere.requests
    assert (asked.path, asked.headers["Range"]) == ("/a.mp3?signed=1", "bytes=0-")
    assert TOKEN not in str(asked.headers)
    assert not {"Authorization", "X-Agent-Id"} & set(asked.headers)
    elsewhere.answer = (302, {"Location": receiver.url("/again")}, b"")
    with pytest.raises(RecordingError) as raised:
        heard(receiver)
    assert raised.value.trouble is RecordingTrouble.FAILING
    assert [each.path for each in receiver.requests if each.path == "/again"] == []


PLACES = {
    "where clouds keep their credentials": (
        "https://169.254.169.254/a",
        True,
        RecordingTrouble.NOT_REACHED,
    ),
    "not https": ("http://127.0.0.1/a", False, RecordingTrouble.NOT_UNDERSTOOD),
    "another scheme": ("file:///etc/passwd", False, RecordingTrouble.NOT_UNDERSTOOD),
    "no address": ("https://[", True, RecordingTrouble.NOT_UNDERSTOOD),
    "nowhere": ("", True, RecordingTrouble.NOT_UNDERSTOOD),
}


@pytest.mark.parametrize(("place", "private", "trouble"), PLACES.values(), ids=PLACES)
def test_a_redirect_leads_to_no_guarded_place(
    receiver: Receiver, place: str, private: bool, trouble: RecordingTrouble
) -> None:
    receiver.answer = (302, {"Location": place} if place else {}, b"")
    asking = recordings()
    # What the tests' setting allows is loopback alone.
    asking._policy = replace(PRIVATE, allow_private=private)
    with pytest.raises(RecordingError) as raised:
        asking.ask(access(receiver), "65f0")
    assert raised.value.trouble is trouble


ANSWERS: dict[str, tuple[Plain, RecordingTrouble]] = {
    "not ready": ((202, {}, b"{}"), RecordingTrouble.NOT_READY),
    "not found, now and then": ((404, {}, b"{}"), RecordingTrouble.NOT_READY),
    "too many requests": ((422, {}, b"{}"), RecordingTrouble.NOT_READY),
    "slower": ((429, {}, b"{}"), RecordingTrouble.THROTTLED),
    "no such token": ((401, {}, b"{}"), RecordingTrouble.REFUSED),
    "not allowed": ((403, {}, b"{}"), RecordingTrouble.REFUSED),
    "a failure": ((500, {}, b""), RecordingTrouble.FAILING),
    "beyond its end": ((416, {}, b""), RecordingTrouble.OUT_OF_RANGE),
    "nothing in it": ((200, AUDIO, b""), RecordingTrouble.NO_AUDIO),
    "a page": ((200, {"Content-Type": "text/html"}, b"<html>"), RecordingTrouble.NOT_AUDIO),
    "a name that ends alike": (
        (200, {"Content-Type": "x/audio/mpeg"}, b"a"),
        RecordingTrouble.NOT_AUDIO,
    ),
    "packed": ((200, {**AUDIO, "Content-Encoding": "gzip"}, b"a"), RecordingTrouble.NOT_AUDIO),
    "a part that was not asked for": (
        (206, {**AUDIO, "Content-Range": "bytes 0-1/9"}, b"ab"),
        RecordingTrouble.NOT_UNDERSTOOD,
    ),
}


@pytest.mark.parametrize(("answer", "trouble"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_without_audio_says_why(
    receiver: Receiver, answer: Plain, trouble: RecordingTrouble
) -> None:
    receiver.answer = answer
    with pytest.raises(RecordingError) as raised:
        heard(receiver)
    assert raised.value.trouble is trouble
    assert TOKEN not in str(raised.value)


def test_sound_that_does_not_begin_is_not_waited_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookproxy.platform.recordings.HEAD_SECONDS", 0.2)
    receiver.answer = lambda _: hang(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
    with gevent.Timeout(60), pytest.raises(RecordingError) as raised:
        heard(receiver)
    assert raised.value.trouble is RecordingTrouble.NOT_REACHED


def test_a_base_that_is_none_and_an_odd_id_ask_for_nothing(receiver: Receiver) -> None:
    for there, call in ((access(receiver), "../me"), (Access(1, "", TOKEN), "65f0")):
        with pytest.raises(RecordingError) as raised:
            recordings().ask(there, call)
        assert raised.value.trouble is RecordingTrouble.NO_ADDRESS
    assert receiver.requests == []


def test_a_company_has_one_turn_in_five_seconds(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookproxy.platform.recordings.PATIENCE", 0.0)
    receiver.answer = (200, AUDIO, SOUND)
    asking = recordings(pause=5.0)
    asking.ask(access(receiver), "65f0").close()
    with pytest.raises(RecordingError) as raised:
        asking.ask(access(receiver), "65f0")
    assert raised.value.trouble is RecordingTrouble.THROTTLED
    assert 0 < (raised.value.after or 0) <= 5
    asking.ask(replace(access(receiver), company_id=2), "65f0").close()


def test_places_are_few_for_a_company_and_in_all_and_are_given_back() -> None:
    asking = recordings()

    def take(company: int, held: ExitStack) -> None:
        held.enter_context(asking.place(company))

    for _ in range(2):
        with ExitStack() as held:
            for number in range(IN_ALL):
                take(number // OF_COMPANY, held)
                if number % OF_COMPANY == OF_COMPANY - 1:
                    with pytest.raises(RecordingError):
                        take(number // OF_COMPANY, held)
            with pytest.raises(RecordingError) as raised:
                take(99, held)
            assert raised.value.trouble is RecordingTrouble.TOO_MANY
    assert not asking._open


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        *((each, each) for each in ("bytes=0-", "bytes=5-9", "bytes=-500")),
        *((each, "") for each in ("bytes=0-1,4-5", "items=0-1", "bytes=-", "bytes=a-b", "x\r\ny")),
    ],
)
def test_one_part_may_be_asked_for(text: str, kept: str) -> None:
    assert usable_range(text) == kept
