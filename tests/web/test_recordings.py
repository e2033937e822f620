"""A link to a recording, from the history that carries it to the audio, and its end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import text
from time_machine import Traveller
from werkzeug.test import TestResponse

from tests.listener.listening import Listening, listening
from tests.recovery.world import HISTORY, history
from tests.support.application import make_webhook, rows, store_of
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.browser import Browser
from webhookproxy.delivery.sending.body import Bodies, Body, newest_only
from webhookproxy.delivery.sending.request import stored_request
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.extensions import db
from webhookproxy.maintenance import privacy
from webhookproxy.maintenance.personal import read_number
from webhookproxy.models import Delivery, Webhook
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import Company
from webhookproxy.models.deliveries.tables import stored_due
from webhookproxy.models.recordings import read_recording_key, valid_link
from webhookproxy.platform import pace, recordings
from webhookproxy.simulator.recordings import audio_of

# Each needs a simulator, and most of them more than one page.
pytestmark = pytest.mark.slow

AUDIO = audio_of(100_000)
PUBLIC = "https://proxy.example"


class World:
    """A company whose histories carry links, and the simulator that has the recordings."""

    def __init__(self, half: Listening, token: str) -> None:
        self.half, self.app, self.token = half, half.app, token
        self.odd()
        self.company = half.company(token, recording_links=True, connected=False)
        make_webhook(self.app, self.company, "http://127.0.0.1:1024/")
        half.notice()

    def hear(self, name: str, **fields: object) -> None:
        """Have the socket bring a history, which is on record at the simulator."""
        payload = history(name)
        payload["callHistory"].update(fields)
        self.half.simulator.control("emit", token=self.token, event=HISTORY, args=[payload])
        before = len(self.half.events())
        self.half.feed(self.company).event(json.dumps([HISTORY, payload]))
        self.half.wait_for_events(before + 1)
        assert self.half.intake.drain(5.0)

    def odd(self, **oddities: object) -> None:
        """Have the simulator give out recordings oddly; without arguments, well again."""
        self.half.simulator.control("recording", token=self.token, **oddities)

    def body(self, kind: FormatKind = FormatKind.STANDARD) -> Body:
        """Return the newest delivery's body as it is sent, from memory and from the database."""
        due = self.half.dues[-1]
        with self.app.app_context():
            webhook = Webhook(id=due.webhook_id, format_number=0)
            bodies = Bodies(webhook, newest_only, partial(read_recording_key, db.engine))
            bodies._formats[0] = Format(kind)
            stored = stored_due(db.session(), due.id)
            assert stored is not None
            made = bodies.in_format(due, 0)
            assert made == bodies.in_format(stored, 0)
            return made

    def path(self, name: str = "65f0a1") -> str:
        """Return the path of the link in the body of a new history."""
        self.hear(name)
        url = json.loads(self.body().content)["payload"]["recording_url"]
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == PUBLIC
        assert re.fullmatch(r"/gravacao/[\w-]{22}", parts.path)
        return parts.path

    def get(self, path: str, **headers: str) -> TestResponse:
        """Return what a visitor gets."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().get(path, headers=given, buffered=True)

    def execute(self, statement: str) -> None:
        """Change the database."""
        store_of(self.app).run(lambda c: c.execute(text(statement)) and None)


@pytest.fixture
def world(
    app: Flask, simulator: SimulatorProcess, token: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    monkeypatch.setattr(recordings, "PAUSE_SECONDS", 0.0)
    app.config["PUBLIC_URL"] = PUBLIC
    policy = replace(app.extensions["policy"], rest_hosts=frozenset({"127.0.0.1"}))
    app.extensions["policy"] = policy
    with listening(app, simulator) as half:
        yield World(half, token)


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


ENDINGS = {
    "its company is deleted": "UPDATE companies SET deleted_at = 1",
    "the company's switch is off": "UPDATE companies SET recording_links = FALSE",
    "its event was purged": "DELETE FROM events",
}


def test_a_link_ends_with_its_time_with_its_event_and_with_its_company(
    world: World, clock: Traveller
) -> None:
    path = f"{world.path()}/audio"
    clock.shift(timedelta(days=30, seconds=-1))
    assert world.get(path).status_code == 200
    clock.shift(timedelta(seconds=1))
    gone = world.get(path)
    assert (gone.status_code, "não vale mais" in gone.text) == (404, True)
    clock.shift(timedelta(days=-30))
    for statement in ENDINGS.values():
        world.path()
        path = f"{world.path()}/audio"
        assert world.get(path).status_code == 200, statement
        world.execute(statement)
        assert world.get(path).status_code == 404, statement
        world.execute("UPDATE companies SET deleted_at = NULL, recording_links = TRUE")


def test_all_links_of_a_company_are_revoked_and_later_ones_open(world: World, ana: Browser) -> None:
    path = world.path()
    page = f"/empresas/company_{world.company}/gravacoes"
    assert "<strong>1 link</strong>" in ana.get(page).text
    assert ana.post(f"{page}/revogar").location == page
    assert world.get(f"{path}/audio").status_code == 404
    assert "<strong>0 links</strong>" in ana.get(page).text
    assert world.get(f"{world.path('65f0a2')}/audio").status_code == 200
    query = "SELECT who FROM audit WHERE action = 'recordings_revoked'"
    assert [row.who for row in rows(world.app, query)] == ["ana@exemplo.com.br"]


def test_a_person_who_is_removed_ends_the_link_of_the_call(world: World) -> None:
    path = world.path()
    world.hear("65f0a2", number="11988887777")
    other = urlsplit(json.loads(world.body().content)["payload"]["recording_url"]).path
    with world.app.app_context():
        removed = privacy.expunge(
            store_of(world.app), db.engine, world.app.extensions["search"],
            read_number("11988887777"), CLI,
        )  # fmt: skip
    assert removed.events == 1
    assert world.get(f"{other}/audio").status_code == 404
    assert world.get(f"{path}/audio").status_code == 200


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


def test_the_form_says_what_voice_is_and_takes_days(world: World, ana: Browser) -> None:
    address = f"/empresas/company_{world.company}/editar"
    assert "voz é dado pessoal" in ana.get(address).text
    assert (
        "1 a 365 dias"
        in ana.send(address, {**ana.fields(address), "recording_days": "0"}, 200).text
    )
    ana.send(address, {**ana.fields(address), "recording_days": "7"}, 303)
    with world.app.app_context():
        company = db.session.get(Company, world.company)
        assert company is not None
        assert (company.recording_days, bool(company.recording_key)) == (7, True)
