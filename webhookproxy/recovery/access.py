"""How a company's REST is asked: at which address, and with which of its tokens."""

from __future__ import annotations

from webhookproxy.models.companies import Company
from webhookproxy.network.guard import Policy
from webhookproxy.platform.rest import Access
from webhookproxy.rules.platform import rest_base


def access_of(company: Company, policy: Policy) -> Access:
    """Return the company's access; its base is empty if no address may get the token."""
    base = rest_base(company.socket_url, company.rest_url, policy)
    return Access(company.id, base, *company.rest_identity)
