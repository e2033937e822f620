"""The tables, by subject; each is imported when it is asked for, so a command has only its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sqlalchemy import MetaData

from webhookproxy.extensions import Base

if TYPE_CHECKING:
    from webhookproxy.models.accounts.api_tokens import ApiToken
    from webhookproxy.models.accounts.guest_links import GuestLink
    from webhookproxy.models.accounts.next_tokens import NextToken
    from webhookproxy.models.accounts.password_links import PasswordLink
    from webhookproxy.models.accounts.people import Grant, User
    from webhookproxy.models.accounts.second_factors import RecoveryCode, SecondFactor
    from webhookproxy.models.accounts.sign_ins import PendingSignIn, SignIn
    from webhookproxy.models.alerts.addresses import AlertAddress, AlertPreferences
    from webhookproxy.models.alerts.alerts import Alert
    from webhookproxy.models.alerts.messages import AlertMessage, AlertMessagePart
    from webhookproxy.models.alerts.watches import AlertWatch
    from webhookproxy.models.audit import AuditEntry
    from webhookproxy.models.companies import Company, Connection, Gap, SecondSocket
    from webhookproxy.models.deliveries.bulk_resends import BulkResend
    from webhookproxy.models.deliveries.refusals import RefusalGroup
    from webhookproxy.models.deliveries.tables import Attempt, Delivery, HourlyDeliveries
    from webhookproxy.models.events import Event, HourlyEvents
    from webhookproxy.models.installation.changes import Change, Revision
    from webhookproxy.models.installation.handovers import Handover
    from webhookproxy.models.installation.keycheck import KeyCheck
    from webhookproxy.models.installation.leases import Lease
    from webhookproxy.models.installation.processes import Process
    from webhookproxy.models.installation.submissions import Submission
    from webhookproxy.models.minutes import MinuteCount
    from webhookproxy.models.outages import Outage
    from webhookproxy.models.past_formats import PastFormat
    from webhookproxy.models.recordings import RecordingLink
    from webhookproxy.models.recovery.call_histories import CallHistory
    from webhookproxy.models.recovery.comparisons import DayComparison
    from webhookproxy.models.recovery.recoveries import Recovery
    from webhookproxy.models.webhooks import Webhook, WebhookHealth

__all__ = [
    "Alert",
    "AlertAddress",
    "AlertMessage",
    "AlertMessagePart",
    "AlertPreferences",
    "AlertWatch",
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "BulkResend",
    "CallHistory",
    "Change",
    "Company",
    "Connection",
    "DayComparison",
    "Delivery",
    "Event",
    "Gap",
    "Grant",
    "GuestLink",
    "Handover",
    "HourlyDeliveries",
    "HourlyEvents",
    "KeyCheck",
    "Lease",
    "MinuteCount",
    "NextToken",
    "Outage",
    "PasswordLink",
    "PastFormat",
    "PendingSignIn",
    "Process",
    "RecordingLink",
    "Recovery",
    "RecoveryCode",
    "RefusalGroup",
    "Revision",
    "SecondFactor",
    "SecondSocket",
    "SignIn",
    "Submission",
    "User",
    "Webhook",
    "WebhookHealth",
]

# The module of each table.
_MODULES = {
    "Alert": "alerts.alerts",
    "AlertAddress": "alerts.addresses",
    "AlertMessage": "alerts.messages",
    "AlertMessagePart": "alerts.messages",
    "AlertPreferences": "alerts.addresses",
    "AlertWatch": "alerts.watches",
    "ApiToken": "accounts.api_tokens",
    "Attempt": "deliveries.tables",
    "AuditEntry": "audit",
    "BulkResend": "deliveries.bulk_resends",
    "CallHistory": "recovery.call_histories",
    "Change": "installation.changes",
    "Company": "companies",
    "Connection": "companies",
    "DayComparison": "recovery.comparisons",
    "Delivery": "deliveries.tables",
    "Event": "events",
    "Gap": "companies",
    "Grant": "accounts.people",
    "GuestLink": "accounts.guest_links",
    "Handover": "installation.handovers",
    "HourlyDeliveries": "deliveries.tables",
    "HourlyEvents": "events",
    "KeyCheck": "installation.keycheck",
    "Lease": "installation.leases",
    "MinuteCount": "minutes",
    "NextToken": "accounts.next_tokens",
    "Outage": "outages",
    "PasswordLink": "accounts.password_links",
    "PastFormat": "past_formats",
    "PendingSignIn": "accounts.sign_ins",
    "Process": "installation.processes",
    "RecordingLink": "recordings",
    "Recovery": "recovery.recoveries",
    "RecoveryCode": "accounts.second_factors",
    "RefusalGroup": "deliveries.refusals",
    "Revision": "installation.changes",
    "SecondFactor": "accounts.second_factors",
    "SecondSocket": "companies",
    "SignIn": "accounts.sign_ins",
    "Submission": "installation.submissions",
    "User": "accounts.people",
    "Webhook": "webhooks",
    "WebhookHealth": "webhooks",
}


def __getattr__(name: str) -> object:
    """Return a table, or raise AttributeError."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found


def schema() -> MetaData:
    """Import every table, and return them all, for what walks the whole schema."""
    for module in _MODULES.values():
        import_module(f"{__name__}.{module}")
    return Base.metadata
