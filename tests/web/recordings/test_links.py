"""What ends a link to a recording, and how a company switches them on."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from time_machine import Traveller

from tests.support.application import rows, store_of
from tests.web.recordings.world import World
from tests.web.support.browser import Browser
from tests.web.support.sockets import execute
from webhookproxy.extensions import db
from webhookproxy.housekeeping.purge import Purge
from webhookproxy.housekeeping.retention import OldCounters
from webhookproxy.maintenance import privacy
from webhookproxy.maintenance.personal import read_number
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import Company
from webhookproxy.models.recordings import DAY_MS, count_valid_links, opens_until, remove_links

# Each needs a simulator, and most of them more than one page.
pytestmark = pytest.mark.slow


ENDINGS = {
    "its company is deleted": "UPDATE companies SET deleted_at = 1",
    "the company's switch is off": "UPDATE companies SET recording_links = FALSE",
    "its event was purged": "DELETE FROM events",
}


def test_a_link_ends_with_its_time_with_its_event_and_with_its_company(
    world: World, clock: Traveller
) -> None:
    path = f"{world.path()}/audio"
    # Seven days, as the events.
    clock.shift(timedelta(days=7, seconds=-1))
    assert world.get(path).status_code == 200
    clock.shift(timedelta(seconds=1))
    gone = world.get(path)
    assert (gone.status_code, "não vale mais" in gone.text) == (404, True)
    clock.shift(timedelta(days=-7))
    for statement in ENDINGS.values():
        path = f"{world.path()}/audio"
        assert world.get(path).status_code == 200, statement
        execute(world.app, statement)
        assert world.get(path).status_code == 404, statement
        execute(world.app, "UPDATE companies SET deleted_at = NULL, recording_links = TRUE")


def test_all_links_of_a_company_are_revoked_and_later_ones_open(world: World, ana: Browser) -> None:
    path = world.path()
    page = f"/empresas/company_{world.company}/gravacoes"
    assert "<strong>1 link</strong>" in ana.get(page).text
    assert ana.post(f"{page}/revogar").location == page
    assert world.get(f"{path}/audio").status_code == 404
    assert "<strong>0 links</strong>" in ana.get(page).text
    assert world.get(f"{world.path('65f0a2')}/audio").status_code == 200
    query = "SELECT who FROM audit WHERE detail = 'recordings_revoked'"
    assert [row.who for row in rows(world.app, query)] == ["ana@exemplo.com.br"]


def test_links_are_made_found_counted_and_removed_on_each_database(any_world: World) -> None:
    world = any_world
    path, _ = world.path(), world.path("65f0a2")
    assert world.get(f"{path}/audio").status_code == 200
    # No event is kept for more than seven days here, and this company keeps fewer.
    world.half.edit(world.company, recording_days=365, retention_days=3)
    gone = world.path("65f0a3")
    now_ms = round(time.time() * 1000)
    first, _, last = world.half.events()
    with world.app.app_context():
        company = db.session.get(Company, world.company)
        assert company is not None
        assert count_valid_links(db.session(), company, now_ms) == 3
        assert opens_until(db.session(), company, last.id, now_ms) == last.received_ms + 3 * DAY_MS
        assert Purge(store_of(world.app)).remove([last.id], due_too=True) == 1
        assert world.get(f"{gone}/audio").status_code == 404
        assert count_valid_links(db.session(), company, now_ms) == 2
        assert (
            opens_until(db.session(), company, first.id, now_ms) == first.received_ms + 7 * DAY_MS
        )
    removed = store_of(world.app).run(lambda connection: remove_links(connection, [first.id]))
    assert removed == 1
    assert world.get(f"{path}/audio").status_code == 404
    execute(world.app, "UPDATE recording_links SET expires_ms = 1")
    past = OldCounters(store_of(world.app), world.half.relay.reading, 30)
    while past.step(now_ms):
        pass
    assert rows(world.app, "SELECT * FROM recording_links") == []


def test_the_link_of_one_event_is_revoked_on_its_page(world: World, ana: Browser) -> None:
    path, other = world.path(), world.path("65f0a2")
    page = f"/eventos/{world.half.events()[0].public_id}"
    assert "Revogar este link" in ana.get(page).text
    assert ana.post(f"{page}/gravacao/revogar").location == page
    assert "Revogar este link" not in ana.get(page).text
    assert world.get(f"{path}/audio").status_code == 404
    assert world.get(f"{other}/audio").status_code == 200


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


def test_the_form_says_what_voice_is_and_takes_days(world: World, ana: Browser) -> None:
    address = f"/empresas/company_{world.company}/editar"
    page = ana.get(address).text
    assert "voz é dado pessoal" in page
    assert "dias de guarda dos eventos, que são 7." in page
    assert (
        "1 a 365 dias"
        in ana.send(address, {**ana.fields(address), "recording_days": "0"}, 200).text
    )
    ana.send(address, {**ana.fields(address), "recording_days": "7"}, 303)
    with world.app.app_context():
        company = db.session.get(Company, world.company)
        assert company is not None
        assert (company.recording_days, bool(company.recording_key)) == (7, True)
