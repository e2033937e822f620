"""The names of the states, and the form of a reason's sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from webhookproxy.reasons.codes import ConnectionState, DeliveryState

# What `you` says where the reader need not act.
NOTHING_TO_DO = "Você não precisa fazer nada."


@dataclass(frozen=True, slots=True)
class Words:
    """One reason in words.

    `english` is one sentence for the command line and the log. The rest is Portuguese, for the
    pages: `what` happened, what we do `then` and when, what `you` can do. Those three may hold
    {when} ("em 30 s", "às 14:02"), {since} (follows "desde": "14:02"), {status} (an HTTP
    status), {target} (where a redirect leads), {rule} (what an answer does not meet) and
    {condition} (of a filter); `filled` replaces them.
    """

    english: str
    what: str
    then: str
    you: str

    def filled(
        self,
        *,
        when: str = "em breve",
        since: str | None = None,
        status: int | str = "inesperado",
        target: str | None = None,
        rule: str | None = None,
        condition: str | None = None,
    ) -> Words:
        """Return the words without placeholders; the defaults stand for unknown values."""
        values = {
            "when": when,
            "since": since or "há pouco",
            "status": status,
            "target": target or "outro endereço",
            "rule": rule or "não é a que o webhook conta como sucesso",
            "condition": condition or "outro conteúdo",
        }
        texts = [self.what, self.then, self.you]
        if since is None:
            texts = [each.replace("desde {since}", "{since}") for each in texts]
        return Words(self.english, *(each.format_map(values) for each in texts))


DELIVERY_LABELS: Mapping[DeliveryState, str] = MappingProxyType(
    {
        DeliveryState.QUEUED: "Na fila",
        DeliveryState.DELIVERED: "Entregue",
        DeliveryState.RETRYING: "Aguardando nova tentativa",
        DeliveryState.REFUSED: "Recusada",
        DeliveryState.EXPIRED: "Expirada",
        DeliveryState.CANCELLED: "Cancelada",
        DeliveryState.FILTERED: "Filtrada",
        DeliveryState.SIMULATED: "Simulada",
    }
)

CONNECTION_LABELS: Mapping[ConnectionState, str] = MappingProxyType(
    {
        ConnectionState.DISCONNECTED: "Desconectada",
        ConnectionState.CONNECTING: "Conectando",
        ConnectionState.CONNECTED: "Conectada",
        ConnectionState.RECONNECTING: "Reconectando",
        ConnectionState.DISCONNECTING: "Desconectando",
        ConnectionState.TOKEN_REFUSED: "Token recusado",
    }
)


def plural(count: int, one: str, many: str) -> str:
    """Return a number with its word: "1 evento", "3.504 eventos"."""
    return f"{thousands(count)} {one if count == 1 else many}"


def thousands(count: int) -> str:
    """Return a whole number as Brazil writes it: "3.504"."""
    return f"{count:,}".replace(",", ".")
