"""Failures of deliveries, as real receivers cause them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.showcase.webhooks import BITRIX, HUBSPOT, MAKE, N8N, PHP
from webhookproxy.reasons import DeliveryReason as Reason
from webhookproxy.reasons import DeliveryState as State


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: seconds after the event came, how long it took, the answer."""

    after: float
    took_ms: int
    reason: Reason
    status: int | None = None
    answer: str | None = None
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """The attempts of one event at one webhook, and its state; `due` is in seconds."""

    webhook: str
    event: str
    minutes_ago: float
    state: State
    reason: Reason
    tries: tuple[Try, ...] = ()
    due: int | None = None


OK = '{"status":"ok"}'
_OVERLOAD = '{"error":"OVERLOAD_LIMIT","error_description":"REST API is blocked due to overload."}'
_NOT_REGISTERED = (
    '{"code":404,"message":"The requested webhook \\"POST retornos\\" is not registered.",'
    '"hint":"The workflow must be active for a production URL to run successfully. You can '
    'activate the workflow using the toggle in the top-right of the editor."}'
)
_FATAL = (
    "<br />\n<b>Fatal error</b>:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused "
    "in /var/www/sistema/lib/banco.php:31\nStack trace:\n#0 /var/www/sistema/lib/banco.php(31): "
    "PDO-&gt;__construct()\n#1 /var/www/sistema/api/3cplus.php(12): conecta()\n#2 {main}\n  thrown "
    "in <b>/var/www/sistema/lib/banco.php</b> on line <b>31</b><br />"
)
_INVALID = (
    '{"message":"Os dados informados são inválidos.","errors":{"call.agent":["O campo agente não '
    'corresponde a um usuário ativo."]}}'
)
_LIMIT = '{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}'
_GONE = '{"status":"error","message":"This subscription was deleted.","category":"GONE"}'
_SCHEDULE = (1, 6, 37, 160, 765, 2_570, 6_200, 9_800)


def _fails(reason: Reason, status: int | None, answer: str | None, count: int) -> tuple[Try, ...]:
    """Return `count` attempts on the schedule, all with the same result."""
    return tuple(
        Try(after, 180 + 37 * number, reason, status, answer)
        for number, after in enumerate(_SCHEDULE[:count])
    )


STORIES = (
    Story(
        PHP,
        "call-history-was-created",
        168,
        State.REFUSED,
        Reason.EXHAUSTED,
        _fails(Reason.FAILED_STATUS, 500, _FATAL, 8),
    ),
    Story(
        PHP,
        "manual-call-was-qualified",
        3,
        State.REFUSED,
        Reason.REFUSED_STATUS,
        _fails(Reason.REFUSED_STATUS, 422, _INVALID, 3),
    ),
    Story(
        PHP,
        "call-was-connected",
        1.5,
        State.RETRYING,
        Reason.ANSWER_TIMEOUT,
        (Try(0.2, 10_004, Reason.ANSWER_TIMEOUT), Try(15.6, 10_002, Reason.ANSWER_TIMEOUT)),
        due=34,
    ),
    Story(
        PHP,
        "agent-entered-work-break",
        22,
        State.DELIVERED,
        Reason.ACCEPTED,
        (
            Try(0.1, 212, Reason.FAILED_STATUS, 500, _FATAL),
            Try(5.4, 10_003, Reason.ANSWER_TIMEOUT),
            Try(46, 340, Reason.ACCEPTED, 200, OK),
        ),
    ),
    Story(
        BITRIX,
        "call-was-finished",
        6,
        State.RETRYING,
        Reason.FAILED_STATUS,
        (
            Try(0.4, 640, Reason.FAILED_STATUS, 503, _OVERLOAD),
            Try(150, 588, Reason.FAILED_STATUS, 503, _OVERLOAD, probe=True),
        ),
        due=750,
    ),
    Story(
        BITRIX,
        "call-was-connected",
        47,
        State.RETRYING,
        Reason.THROTTLED,
        _fails(Reason.THROTTLED, 429, _LIMIT, 4),
        due=1_290,
    ),
    Story(
        PHP,
        "call-history-was-created",
        1_010,
        State.REFUSED,
        Reason.REFUSED_STATUS,
        _fails(Reason.REFUSED_STATUS, 422, _INVALID, 3),
    ),
    Story(BITRIX, "call-history-was-created", 960, State.QUEUED, Reason.WAITING_TURN),
    Story(BITRIX, "call-history-was-created", 4, State.QUEUED, Reason.WAITING_TURN),
    Story(BITRIX, "call-was-not-answered", 2, State.QUEUED, Reason.WAITING_TURN),
    Story(
        HUBSPOT,
        "call-history-was-created",
        96,
        State.RETRYING,
        Reason.GONE,
        (Try(0.3, 405, Reason.GONE, 410, _GONE),),
    ),
    Story(HUBSPOT, "call-history-was-created", 31, State.QUEUED, Reason.WAITING_TURN),
    Story(
        N8N,
        "call-was-finished",
        58,
        State.REFUSED,
        Reason.REFUSED_STATUS,
        _fails(Reason.REFUSED_STATUS, 404, _NOT_REGISTERED, 3),
    ),
    Story(
        N8N,
        "call-was-connected",
        9,
        State.DELIVERED,
        Reason.ACCEPTED,
        (
            Try(0.1, 5_010, Reason.NAME_NOT_RESOLVED),
            Try(10.3, 96, Reason.ACCEPTED, 200, '{"message":"Workflow was started"}'),
        ),
    ),
    Story(N8N, "call-was-not-answered", 75, State.CANCELLED, Reason.DISCARDED),
    Story(
        MAKE,
        "call-was-connected",
        2.2,
        State.RETRYING,
        Reason.TLS_EXPIRED,
        _fails(Reason.TLS_EXPIRED, None, None, 3),
        due=71,
    ),
    Story(
        MAKE,
        "call-was-finished",
        5,
        State.RETRYING,
        Reason.REDIRECTED,
        _fails(Reason.REDIRECTED, 301, "Moved Permanently", 4),
        due=410,
    ),
    Story(
        MAKE,
        "call-history-was-created",
        4_330,
        State.EXPIRED,
        Reason.MAX_AGE,
        _fails(Reason.CONNECTION_REFUSED, None, None, 8),
    ),
)
