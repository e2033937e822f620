"""A real receiver fails and is mended: both are told, the second with the account."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tests.alerts.world import FakeChannel
from tests.delivery.conftest import half
from tests.delivery.lanes_world import Sending
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Receiver
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.telling.outbox import Outbox
from webhookproxy.engine.background_jobs import installation_jobs, share_jobs
from webhookproxy.models import AlertAddress
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.types import from_ms

__all__ = ["half"]

SAID = "telefone 41 90000-0000 inválido, chave canary-secret"
DOWN: Plain = (503, {}, SAID.encode())


def test_a_receiver_that_fails_and_is_mended_is_told_with_its_account(half: Sending) -> None:
    def add(session: Session) -> None:
        user = create_user(session, "ana@exemplo.com.br", "hash", admin=True)
        now = from_ms(round(half.clock() * 1000))
        where = {"kind": "email", "target": "ana@exemplo.com.br", "label": "an…", "position": 1}
        address = AlertAddress(user_id=user.id, created_at=now, confirmed_at=now, **where)
        session.add(address)

    half.store.session(add)
    channel = FakeChannel()
    outages = share_jobs(half.app, half.relay, half.clock).outages
    watcher = installation_jobs(half.app, half.relay, half.clock).watcher
    outbox = Outbox(half.store, half.reading, channel, None, half.clock)

    def next_message(count: int) -> Message:
        def sent() -> bool:
            half.skew += 1
            outages.step()
            watcher.step()
            outbox.step()
            outbox.join(20)
            return len(channel.sent) == count

        wait_until(sent, 20, f"message {count}")
        return channel.sent[-1][1]

    with Receiver(DOWN) as receiver:
        webhook = half.webhook(f"{receiver.url()}hook/canary-secret")
        for key in range(4):
            half.arrive(2, key=f"call:{key}")
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        half.skew = 5 * 60
        opened = next_message(1)
        assert opened.subject == "Webhook falhando: Webhook (Empresa)"
        assert "status 503" in opened.lines[0]
        receiver.answer = OK
        half.wait_for_ends(webhook, 8)
        half.skew += 62
        closed = next_message(2)
    assert closed.kind == "alert.closed"
    assert closed.lines[0].endswith("8 eventos esperaram (4 ligações): 8 entregues, 0 perdidos.")
    for said in (SAID, "canary-secret", "41 90000"):
        assert said not in str(channel.sent)
    assert rows(half.app, "SELECT 1 FROM alerts WHERE closed_at IS NULL") == []
