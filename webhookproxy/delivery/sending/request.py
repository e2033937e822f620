"""The request of a delivery: its body, and how people are shown it, without what is secret."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from webhookproxy.delivery.sending.body import Bodies, Body
from webhookproxy.events import contract
from webhookproxy.events.formats.definition import Unrenderable
from webhookproxy.models.deliveries.tables import Attempt, Delivery, Due, stored_due
from webhookproxy.models.past_formats import past_format
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.headers import read_headers

HIDDEN = "…"
# A word before a space in an Authorization is shown only if it cannot be a part of the secret.
_SCHEMES = ("basic", "bearer", "token")
# Headers whose value needs a secret, with the variable that stands for it in a command. The last
# two depend on the moment of the attempt too.
_VARIABLES = {
    "Authorization": "AUTHORIZATION",
    "X-Signature-SHA256": "X_SIGNATURE_SHA256",
    "webhook-timestamp": "WEBHOOK_TIMESTAMP",
    "webhook-signature": "WEBHOOK_SIGNATURE",
}


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request as it is sent, but that every secret, and what is made with one, is "…".

    The headers that any HTTP client adds by itself (Host, Content-Length, Accept-Encoding) are
    left out. `url` is whole: in lists, show guard.masked_url(url).
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str


def shown_request(
    webhook: Webhook, due: Due, body: Body, *, attempt: int, sent_ms: int | None = None
) -> ShownRequest:
    """The request of an attempt (counted from 1) with the webhook's settings of now.

    `sent_ms` is when it was sent, in milliseconds since 1970; None if it was not.
    """
    headers = contract.headers(
        event=due.facts.name,
        event_id=due.facts.public_id,
        attempt=attempt,
        body=body.content,
        # Which headers there are depends on whether these are set; their values are not needed.
        authorization_value=HIDDEN if webhook.authorization else None,
        secrets=(HIDDEN,) if webhook.secret else (),
        now_s=(sent_ms or 0) // 1000,
        content_type=body.content_type,
        ids=body.ids,
        own=tuple((name, HIDDEN) for name, _ in read_headers(webhook.headers)),
    )
    hidden = dict.fromkeys(_VARIABLES, HIDDEN)
    hidden["Authorization"] = _scheme(webhook.authorization or "")
    if sent_ms is not None:
        del hidden["webhook-timestamp"]
    shown = tuple((name, hidden.get(name, value)) for name, value in headers.items())
    return ShownRequest("POST", webhook.url, shown, body.content.decode("utf-8"))


def stored_request(session: Session, delivery: Delivery, number: int | None = None) -> ShownRequest:
    """The request of one attempt of a stored delivery (None: the last, or the first to come).

    The body is what was sent; the URL and the headers follow the webhook's settings of now.
    Refused if the webhook, or the event, is there no longer, or if it has no body in its format.
    """
    webhook, due = session.get(Webhook, delivery.webhook_id), stored_due(session, delivery.id)
    if webhook is None or due is None:
        raise Refused.one(
            "delivery",
            f"What delivery_{delivery.id} was made from is no longer kept.",
            "O evento desta entrega já passou do prazo de guarda, e o que foi enviado não está "
            "mais aqui.",
        )
    attempt = number or max(1, delivery.attempts)
    made = session.get(Attempt, (delivery.id, attempt))
    sent_ms = None if made is None else made.started_ms
    bodies = Bodies(webhook, partial(past_format, session, webhook.id))
    try:
        body = bodies.of(due) if made is None else bodies.in_format(due, made.format_number or 0)
    except Unrenderable as error:
        raise Refused.one(
            "delivery",
            f"delivery_{delivery.id} has no body in its format ({error.code}), so nothing is sent.",
            error.detail,
        ) from None
    return shown_request(webhook, due, body, attempt=attempt, sent_ms=sent_ms)


def curl_command(request: ShownRequest) -> str:
    """A shell command that sends the same body; secrets are variables that the user sets.

    The body goes through standard input, where its length has no limit.
    """
    headers, variables = [], []
    for name, value in request.headers:
        variable = _VARIABLES.get(name) or (_variable(name) if value == HIDDEN else None)
        if variable is not None:
            variables.append(variable)
            # A name may have characters that a shell would run between double quotes.
            headers.append(f'--header {shlex.quote(f"{name}: ")}"${variable}"')
        else:
            headers.append(f"--header {shlex.quote(f'{name}: {value}')}")
    command = " \\\n  ".join(
        [
            f"printf %s {shlex.quote(request.body)} |",
            f"curl --globoff --request {request.method} {shlex.quote(request.url)}",
            *headers,
            "--data-binary @-",
        ]
    )
    return "\n".join([*_comments(variables), command])


def _variable(name: str) -> str:
    return "HEADER_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def _scheme(authorization: str) -> str:
    scheme = contract.authorization(authorization).split(" ")[0]
    return f"{scheme} {HIDDEN}" if scheme.lower() in _SCHEMES else HIDDEN


def _comments(variables: list[str]) -> list[str]:
    if not variables:
        return []
    lines = [f"# Antes, defina no terminal: {', '.join(variables)}."]
    if "WEBHOOK_SIGNATURE" in variables:
        lines += [
            "# A assinatura webhook-signature vale só para a hora em webhook-timestamp, e por isso",
            "# não pode ser repetida aqui: quem recebe pode recusar uma hora antiga.",
        ]
    return lines
