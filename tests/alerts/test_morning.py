"""The morning line: yesterday in one sentence, once a day, for those who asked for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask

from tests.alerts.world import Alerting

# A Monday, 07:00 in Brasília.
EARLY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_the_morning_line_has_the_figures_of_yesterday(app: Flask) -> None:
    alerting = Alerting(app, EARLY - timedelta(days=3))
    company, other = alerting.company("Loja A"), alerting.company("Loja B")
    webhook = alerting.webhook(company)
    user = alerting.user("ana@exemplo.com.br", company)
    alerting.user("beto@exemplo.com.br", company)
    alerting.execute(
        "INSERT INTO alert_preferences (user_id, is_on, morning_line) VALUES (:user, :yes, :yes)",
        user=user,
        yes=True,
    )
    # 23:00 of Sunday and 00:00 of Monday in Brasília.
    for number, hour, count in ((company, 2, 3504), (company, 3, 70), (other, 2, 9)):
        began = datetime(2026, 11, 23, hour, tzinfo=UTC)
        alerting.execute(
            "INSERT INTO hourly_events (company_id, hour, name, count) VALUES (:c, :h, 'x', :n)",
            c=number,
            h=int(began.timestamp()) // 3600,
            n=count,
        )
    for outcome, count in (("delivered", 7008), ("refused", 2), ("failed", 5)):
        alerting.execute(
            "INSERT INTO hourly_deliveries (webhook_id, hour, outcome, bucket, count)"
            " VALUES (:w, :h, :o, 0, :n)",
            w=webhook,
            h=int(datetime(2026, 11, 22, 15, tzinfo=UTC).timestamp()) // 3600,
            o=outcome,
            n=count,
        )
    alerting.now = EARLY
    assert alerting.run(minutes=58, step=29) == []
    (message,) = alerting.run(minutes=300, step=30)
    assert message.kind == "morning"
    assert message.subject == ("Ontem: 3.504 eventos, 7.008 entregas, 2 recusadas; tudo conectado.")
    alerting.connection(company, "reconnecting", "dropped")
    found = alerting.run(minutes=24 * 60, step=60)
    (line,) = [each.subject for each in found if each.kind == "morning"]
    assert line == ("Ontem: 70 eventos, 0 entregas, 0 recusadas; 1 empresa sem conexão.")
