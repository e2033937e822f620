"""Commands for administrators, all under `flask`."""

from __future__ import annotations

from flask import Flask

from webhookproxy.cli.alerts import group as alert_group
from webhookproxy.cli.guests import group as guest_group
from webhookproxy.cli.maintenance.backups import backup, restore
from webhookproxy.cli.maintenance.keys import group as key_group
from webhookproxy.cli.maintenance.privacy import group as privacy_group
from webhookproxy.cli.maintenance.search import group as search_group
from webhookproxy.cli.relay.companies import group as company_group
from webhookproxy.cli.relay.config import group as config_group
from webhookproxy.cli.relay.deliveries import group as delivery_group
from webhookproxy.cli.relay.secrets import rotate_secret_command
from webhookproxy.cli.relay.stored import send_stored
from webhookproxy.cli.relay.trial import test as test_command
from webhookproxy.cli.relay.webhooks import group as webhook_group
from webhookproxy.cli.shell import names
from webhookproxy.cli.simulator import simulator as simulator_command
from webhookproxy.cli.status import show as status_command
from webhookproxy.cli.tokens import group as token_group
from webhookproxy.cli.users import group as user_group


def init_app(app: Flask) -> None:
    """Register every command, and the names of `flask shell`."""
    webhook_group.add_command(test_command)
    webhook_group.add_command(send_stored)
    webhook_group.add_command(rotate_secret_command)
    groups = (
        user_group,
        token_group,
        guest_group,
        alert_group,
        company_group,
        webhook_group,
        config_group,
        delivery_group,
        key_group,
        privacy_group,
        search_group,
    )
    for command in (*groups, status_command, backup, restore, simulator_command):
        app.cli.add_command(command)
    app.shell_context_processor(lambda: names(app))
