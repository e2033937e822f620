"""A link to a recording, from the history that carries it to the audio."""

from __future__ import annotations

import time

import pytest

from tests.support.application import rows
from tests.support.receiver import Receiver, raw
from tests.web.recordings.world import AUDIO, PUBLIC, World
from tests.web.support.browser import Browser
from webhookproxy.delivery.sending.request import stored_request
from webhookproxy.events.formats.definition import FormatKind
from webhookproxy.extensions import db
from webhookproxy.models import Delivery
from webhookproxy.models.recordings import valid_link

# Each needs a simulator, and most of them more than one page.
pytestmark = pytest.mark.slow


def test_a_link_leads_from_the_history_to_the_audio(world: World) -> None:
    path = world.path()
    page = Browser(world.app).get(path)
    assert "Voz é dado pessoal" in page.text
    assert "noindex" in page.headers["X-Robots-Tag"]
    whole = world.get(f"{path}/audio")
    assert (whole.status_code, whole.data == AUDIO) == (200, True)
    for name, value in (
        ("Content-Type", "audio/mpeg"),
        ("Content-Length", "100000"),
        ("Accept-Ranges", "bytes"),
        ("Content-Disposition", 'attachment; filename="gravacao-65f0a1.mp3"'),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ):
        assert whole.headers[name] == value, name
    part = world.get(f"{path}/audio", Range="bytes=99990-")
    assert (part.status_code, part.data) == (206, AUDIO[-10:])
    assert part.headers["Content-Range"] == "bytes 99990-99999/100000"
    assert world.get(f"{path}/audio", Range="bytes=100000-").status_code == 416
    query = "SELECT who, company_id, subject, detail FROM audit WHERE action = 'recording_heard'"
    about = ("recording", world.company, "65f0a1")
    assert [tuple(row) for row in rows(world.app, query)] == [
        (*about, ""),
        (*about, "bytes=99990-"),
    ]
    # Every place is given back.
    assert not world.app.extensions["recordings"]._open


def test_every_body_of_a_history_carries_the_link_and_people_see_none_of_it(world: World) -> None:
    path = world.path()
    url = f"{PUBLIC}{path}"
    for kind in FormatKind:
        if kind is not FormatKind.MAPPED:
            assert f'"recording_url":"{url}"'.encode() in world.body(kind).content, kind
    due = world.half.dues[-1]
    with world.app.app_context():
        delivery = db.session.get(Delivery, due.id)
        assert delivery is not None
        shown = stored_request(db.session(), delivery)
    assert f'"recording_url":"{PUBLIC}/gravacao/…"' in shown.body
    token = path.rpartition("/")[2]
    for table in ("events", "recording_links", "companies", "audit"):
        assert token not in str(rows(world.app, f"SELECT * FROM {table}")), table


def test_what_has_no_recording_or_no_switch_carries_no_link(world: World) -> None:
    for fields in ({"recorded": False}, {"_id": "../me"}):
        world.hear("not-recorded", **fields)
        assert b"recording_url" not in world.body().content
    world.half.feed(world.company).event('["agent-is-idle",{"n":1}]')
    world.half.edit(world.company, recording_links=False)
    world.hear("switched-off")
    assert b"recording_url" not in world.body().content
    assert b"recording_url" not in world.body(FormatKind.CALL).content
    assert rows(world.app, "SELECT * FROM recording_links") == []


def test_a_thousand_alterations_open_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhookproxy.web.shared.throttle.limit", lambda *_: None)
    token = world.path().rpartition("/")[2]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    altered = [
        f"{token[:place]}{letter}{token[place + 1 :]}"
        for place in range(len(token))
        for letter in letters
        if letter != token[place]
    ][:1_000]
    now_ms = round(time.time() * 1000)
    with world.app.app_context():
        found = [each for each in altered if valid_link(db.session(), each, now_ms)]
        assert (len(altered), found) == (1_000, [])
        assert valid_link(db.session(), token, now_ms)
    for each in altered[::500]:
        assert world.get(f"/gravacao/{each}/audio").status_code == 404
    assert world.get(f"/gravacao/{token}/audio").status_code == 200


def test_what_there_is_not_to_hear_is_said(world: World) -> None:
    path = f"{world.path()}/audio"
    for oddity, status, said in (
        ({"status": 404}, 503, "Ainda não está pronta"),
        ({"status": 422}, 503, "Ainda não está pronta"),
        ({"status": 202}, 503, "Ainda não está pronta"),
        ({"size": 0}, 404, "Sem áudio"),
        ({"content_type": "text/html"}, 502, "Isto não é um áudio"),
        ({"redirect": "https://169.254.169.254/"}, 503, "Não conseguimos falar"),
    ):
        world.odd(**oddity)
        answer = world.get(path)
        assert (answer.status_code, said in answer.text) == (status, True), oddity
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers.get("Retry-After", "1") == "1"
        assert (status == 503) >= ("Retry-After" in answer.headers)
    assert rows(world.app, "SELECT 1 FROM audit WHERE action = 'recording_heard'") == []
    world.odd()
    assert world.get(path).data == AUDIO
    assert not world.app.extensions["recordings"]._open


def test_another_host_gets_no_token(world: World) -> None:
    path = f"{world.path()}/audio"
    with Receiver((200, {"Content-Type": "audio/wav"}, b"sound")) as elsewhere:
        world.odd(redirect=elsewhere.url("/a.wav"))
        assert world.get(path).data == b"sound"
        (asked,) = elsewhere.requests
        assert world.token not in f"{asked.headers}{asked.path}"
        assert "Authorization" not in asked.headers


def test_a_place_is_held_until_the_visitor_leaves(world: World) -> None:
    answer = world.app.test_client().get(f"{world.path()}/audio")
    held = world.app.extensions["recordings"]._open
    assert dict(held) == {world.company: 1}
    answer.close()
    assert not held


CUT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nsound\r\n"
)


def test_a_recording_that_is_not_whole_does_not_look_whole(world: World) -> None:
    path = f"{world.path()}/audio"
    with Receiver(lambda _: raw(CUT)) as elsewhere:
        world.odd(redirect=elsewhere.url("/a.mp3"))
        with pytest.raises(ConnectionResetError):
            world.get(path)
    world.odd()
    world.app.extensions["broadcast"].close()
    with pytest.raises(ConnectionResetError, match="the server stops"):
        world.get(path)
    assert not world.app.extensions["recordings"]._open
