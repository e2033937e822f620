"""A company whose histories carry links, and the simulator that has the recordings."""

from __future__ import annotations

import json
import re
from functools import partial
from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from tests.listener.listening import Listening
from tests.recovery.world import HISTORY, history
from tests.support.application import make_webhook
from webhookproxy.delivery.sending.body import Bodies, Body, newest_only
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.deliveries.tables import stored_due
from webhookproxy.models.recordings import read_recording_key
from webhookproxy.simulator.recordings import audio_of

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
        return str(parts.path)

    def get(self, path: str, **headers: str) -> TestResponse:
        """Return what a visitor gets."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().get(path, headers=given, buffered=True)
