"""The tables, by subject; importing this package registers them all."""

from webhookproxy.models.accounts.api_tokens import ApiToken
from webhookproxy.models.accounts.guest_links import GuestLink
from webhookproxy.models.accounts.password_links import PasswordLink
from webhookproxy.models.accounts.people import Grant, User
from webhookproxy.models.accounts.second_factors import RecoveryCode, SecondFactor
from webhookproxy.models.accounts.sign_ins import PendingSignIn, SignIn
from webhookproxy.models.alerts.addresses import AlertAddress, AlertPreferences
from webhookproxy.models.alerts.alerts import Alert
from webhookproxy.models.alerts.messages import AlertMessage, AlertMessagePart
from webhookproxy.models.alerts.watches import AlertWatch
from webhookproxy.models.audit import AuditEntry
from webhookproxy.models.companies import Company, Connection, Gap
from webhookproxy.models.deliveries.bulk_resends import BulkResend
from webhookproxy.models.deliveries.refusals import RefusalGroup
from webhookproxy.models.deliveries.tables import Attempt, Delivery, HourlyDeliveries
from webhookproxy.models.events import Event, HourlyEvents
from webhookproxy.models.installation.changes import Change, Revision
from webhookproxy.models.installation.handovers import Handover
from webhookproxy.models.installation.keycheck import KeyCheck
from webhookproxy.models.installation.leases import Lease
from webhookproxy.models.installation.submissions import Submission
from webhookproxy.models.minutes import MinuteCount
from webhookproxy.models.outages import Outage
from webhookproxy.models.past_formats import PastFormat
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
    "Change",
    "Company",
    "Connection",
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
    "Outage",
    "PasswordLink",
    "PastFormat",
    "PendingSignIn",
    "RecoveryCode",
    "RefusalGroup",
    "Revision",
    "SecondFactor",
    "SignIn",
    "Submission",
    "User",
    "Webhook",
    "WebhookHealth",
]
