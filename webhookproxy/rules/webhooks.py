"""The checks of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from webhookproxy.events import contract
from webhookproxy.events.catalog import is_event_name
from webhookproxy.events.conditions import Condition
from webhookproxy.events.formats.definition import Format
from webhookproxy.network.guard import Policy, UrlRefused, check_url
from webhookproxy.rules import Problem, Problems, Refused, check_name, keeps_secrets, refuse_secrets
from webhookproxy.rules.filters import Checked, check_filters
from webhookproxy.rules.formats import check_format
from webhookproxy.rules.headers import (
    Header,
    check_header_value,
    check_headers,
    with_stored_values,
)
from webhookproxy.rules.success import check_success_rule

# The body that every webhook begins with.
STANDARD = Format()
EVENTS_MAX = 500


class WebhookState(StrEnum):
    """Active sends, paused keeps, simulated does everything but the POST."""

    ACTIVE = "active"
    PAUSED = "paused"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class WebhookInput:
    """The fields of a webhook as they were typed.

    `events` None means all; `timeout` is in seconds, `rate_limit` in POSTs a second (None: no
    limit), `max_age` in hours. `filters` are by the name of the event (None: nothing is filtered).
    `success_rule` is what an answer with a 2xx must say too (None: nothing).
    """

    name: str
    url: str
    events: tuple[str, ...] | None = None
    authorization: str | None = None
    secret: str | None = None
    state: WebhookState = WebhookState.ACTIVE
    parallelism: int = 8
    timeout: float = 15.0
    rate_limit: float | None = None
    max_age: float = 72.0
    filters: Checked | None = None
    format: Format = STANDARD
    headers: tuple[Header, ...] = ()
    success_rule: Condition | None = None
    takes_recovered: bool = True


_SECRETS = {
    "authorization": ("the authorization (--auth)", "a autorização"),
    "secret": ("the secret (--secret)", "o segredo"),
    "headers": ("the headers (--header)", "os headers"),
}


def changed_webhook(
    stored: WebhookInput, given: Mapping[str, Any], policy: Policy, *, same_path: bool
) -> WebhookInput:
    """Return the stored fields with those that were given, by their names, in their place.

    Raises Refused if a stored secret would go to another origin, see keeps_secrets: it must be
    given again, or given empty to clear it. A header with a blank value keeps the stored one of its
    name. That Refused has all other problems too. `same_path`
    holds for operators, who could otherwise have it sent to an address of their own on the same
    host.
    """
    changed = replace(stored, **given)
    keeping = {field for field in _SECRETS if getattr(stored, field) and field not in given}
    headers = with_stored_values(changed.headers, stored.headers)
    if headers != changed.headers:
        keeping.add("headers")
        changed = replace(changed, headers=headers)
    kept = [words for field, words in _SECRETS.items() if field in keeping]
    if kept and not keeps_secrets(stored.url, changed.url, same_path=same_path):
        elsewhere = Problem(
            "url",
            f"The new URL leads elsewhere: give {' and '.join(each[0] for each in kept)} "
            "again (or empty), because what was set was meant for the old one.",
            f"A nova URL leva a outro lugar: informe de novo {' e '.join(w[1] for w in kept)}, "
            "porque o valor guardado era para a URL antiga.",
        )
        refuse_secrets(elsewhere, "url", lambda: check_webhook(changed, policy))
    return changed


def check_webhook(given: WebhookInput, policy: Policy) -> WebhookInput:
    """Return the fields, trimmed and normalised; raise Refused with all their problems."""
    problems = Problems()
    name = check_name(given.name, "do webhook", problems)
    url = given.url.strip()
    try:
        url = check_url(url, policy).url
    except UrlRefused as refused:
        problems.add("url", refused.english, refused.portuguese)
    events = _check_events(given.events, problems)
    check_header_value("authorization", given.authorization, problems)
    _check_secret(given.secret, problems)
    headers = check_headers(given.headers, problems)
    check_success_rule(given.success_rule, problems)
    _check_numbers(given, problems)
    filters = None
    body = given.format
    try:
        filters = check_filters(given.filters)
    except Refused as refused:
        problems.take(refused)
    try:
        body = check_format(given.format)
    except Refused as refused:
        problems.take(refused)
    problems.raise_any()
    return replace(
        given,
        name=name,
        url=url,
        events=events,
        authorization=given.authorization or None,
        secret=given.secret or None,
        filters=filters,
        format=body,
        headers=headers,
    )


def check_secret(secret: str) -> None:
    """Raise Refused if a signing secret is empty or cannot be one."""
    problems = Problems()
    if not secret:
        problems.add("secret", "The secret is empty: give one.", "Informe o segredo.")
    _check_secret(secret, problems)
    problems.raise_any()


def _check_secret(secret: str | None, problems: Problems) -> None:
    check_header_value("secret", secret, problems)
    # Signed by its text, no library could verify it.
    if secret and secret.startswith(contract.WHSEC) and contract.decoded_whsec(secret) is None:
        problems.add(
            "secret",
            "After whsec_ a secret has Base64 of 24 to 64 bytes: copy it whole, or give one that "
            "begins differently.",
            "Depois de whsec_ vem Base64 de 24 a 64 bytes: copie o segredo inteiro, ou use um que "
            "comece de outro jeito.",
        )


def _check_events(events: tuple[str, ...] | None, problems: Problems) -> tuple[str, ...] | None:
    if events is None:
        return None
    if not events or len(events) > EVENTS_MAX:
        problems.add(
            "events",
            f"Choose between 1 and {EVENTS_MAX} events, or all of them.",
            f"Escolha de 1 a {EVENTS_MAX} eventos, ou todos.",
        )
    for event in events:
        if not is_event_name(event):
            problems.add(
                "events",
                f"{event[:60]!r} is not an event name: up to 200 characters, or leave all names "
                "out for every event.",
                f"{event[:60]!r} não é um nome de evento: até 200 caracteres. Para receber todos, "
                "escolha “Todos, também os futuros”.",
            )
    return tuple(dict.fromkeys(events))


def _check_numbers(given: WebhookInput, problems: Problems) -> None:
    if not 1 <= given.parallelism <= 64:
        problems.add(
            "parallelism",
            "The parallelism must be between 1 (strict order) and 64.",
            "O paralelismo deve ficar entre 1 (ordem estrita) e 64.",
        )
    if not 1 <= given.timeout <= 60:
        problems.add(
            "timeout",
            "The timeout must be between 1 and 60 seconds.",
            "O tempo limite deve ficar entre 1 e 60 segundos.",
        )
    if given.rate_limit is not None and not 0.1 <= given.rate_limit <= 1000:
        problems.add(
            "rate_limit",
            "The rate limit must be between 0.1 and 1000 POSTs a second.",
            "O limite de envios deve ficar entre 0,1 e 1000 por segundo.",
        )
    if not 1 <= given.max_age <= 168:
        problems.add(
            "max_age",
            "The maximum age must be between 1 and 168 hours.",
            "A idade máxima deve ficar entre 1 e 168 horas.",
        )
