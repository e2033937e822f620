"""Which webhooks of a company want an event, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import Webhook

# Names answered for are remembered; a server that makes names up must not fill the memory.
REMEMBERED_MAX = 2000


@dataclass(frozen=True, slots=True)
class Route:
    """A webhook that may want an event, and its clock."""

    webhook_id: int
    events: frozenset[str] | None
    paused_at_ms: int | None
    paused_ms: int

    def born_ms(self, now_ms: int) -> int:
        """Now on the webhook's own clock, which stands while it is paused."""
        return (self.paused_at_ms or now_ms) - self.paused_ms


class Routes:
    """The routes of every company that this process listens for."""

    def __init__(self) -> None:
        self._routes: dict[int, tuple[Route, ...]] = {}
        self._remembered: dict[tuple[int, str], tuple[Route, ...]] = {}

    def apply(self, company_id: int, webhooks: Iterable[Webhook]) -> None:
        """Replace the routes of a company; in force from the next event."""
        self._routes[company_id] = tuple(
            Route(
                webhook.id,
                None if webhook.events is None else frozenset(webhook.events),
                optional_ms(webhook.paused_at),
                webhook.paused_ms,
            )
            for webhook in webhooks
        )
        self._remembered.clear()

    def interested(self, company_id: int, name: str) -> tuple[Route, ...]:
        """The routes that want an event of this name."""
        key = (company_id, name)
        found = self._remembered.get(key)
        if found is None:
            found = tuple(
                route
                for route in self._routes.get(company_id, ())
                if route.events is None or name in route.events
            )
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found
        return found
