"""The history of a webhook's outages."""

from __future__ import annotations

from flask import Blueprint, render_template

from webhookproxy.extensions import db
from webhookproxy.web.outages.listing import latest_outages
from webhookproxy.web.shared.access import company_or_404, readers, webhook_or_404

blueprint = Blueprint("outages", __name__)

# As long as they are stored, and as many as anyone reads.
DAYS = 400
SHOWN = 100


@blueprint.get("/webhooks/<webhook:webhook_id>/quedas")
@readers
def index(webhook_id: int) -> str:
    """List the outages of a webhook, the newest first."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    listed = latest_outages(db.session(), [webhook], company.timezone, DAYS, SHOWN)
    given = {"webhook": webhook, "company": company, "listed": listed}
    return render_template("outages/index.html", **given)
