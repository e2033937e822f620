"""What is watched, and how long it must last before anyone is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

MINUTES_MAX = 24 * 60
# This many days before its end people are told of a token.
EXPIRY_DAYS = 7


class Condition(StrEnum):
    """The states of which people are told."""

    CONNECTION_LOST = "connection_lost"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - no password
    TOKEN_EXPIRES = "token_expires"  # noqa: S105 - no password
    SILENCE = "silence"
    GAP = "gap"
    WEBHOOK_FAILING = "webhook_failing"
    WEBHOOK_PAUSED = "webhook_paused"
    WEBHOOK_REFUSING = "webhook_refusing"
    WEBHOOK_BEHIND = "webhook_behind"
    NOT_STORING = "not_storing"
    NO_OWNER = "no_owner"
    DISK_FULL = "disk_full"


class About(StrEnum):
    """What a condition is about. Only administrators are told of the installation."""

    COMPANY = "company"
    WEBHOOK = "webhook"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class Watched:
    """A condition: its name on pages, and the minutes after which people are told by default.

    A user may choose other minutes if `is_timed`. What `ends` is told of again when it is over; a
    gap is told of when it is over already.
    """

    label: str
    about: About
    minutes: int
    is_timed: bool = True
    ends: bool = True


CONDITIONS: Mapping[Condition, Watched] = MappingProxyType(
    {
        Condition.CONNECTION_LOST: Watched("Conexão perdida", About.COMPANY, 5),
        Condition.TOKEN_REFUSED: Watched("Token recusado", About.COMPANY, 2),
        Condition.TOKEN_EXPIRES: Watched("Token perto de vencer", About.COMPANY, 0, is_timed=False),
        Condition.SILENCE: Watched("Conectada, mas sem eventos", About.COMPANY, 5),
        Condition.GAP: Watched("Lacuna: tempo sem receber eventos", About.COMPANY, 10, ends=False),
        Condition.WEBHOOK_FAILING: Watched("Webhook falhando", About.WEBHOOK, 5),
        Condition.WEBHOOK_PAUSED: Watched("Webhook pausado pelo 410", About.WEBHOOK, 0),
        Condition.WEBHOOK_REFUSING: Watched(
            "Webhook recusando parte dos eventos", About.WEBHOOK, 10
        ),
        Condition.WEBHOOK_BEHIND: Watched("Fila do webhook crescendo", About.WEBHOOK, 10),
        Condition.NOT_STORING: Watched("Não está gravando", About.INSTALLATION, 1),
        Condition.NO_OWNER: Watched("Nenhum processo cuida das conexões", About.INSTALLATION, 2),
        Condition.DISK_FULL: Watched("Disco quase cheio", About.INSTALLATION, 5),
    }
)
# Times without a socket: their calls may come back afterwards.
GAPS = frozenset({Condition.CONNECTION_LOST, Condition.TOKEN_REFUSED, Condition.GAP})
# Told at every hour: each minute of it may lose events.
URGENT = frozenset({Condition.NOT_STORING, Condition.NO_OWNER})
