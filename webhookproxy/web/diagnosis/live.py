"""The part of a diagnosis that asks others now: 3C Plus about the token, and each URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gevent.pool import Group

from webhookproxy.delivery.sending.reach import Reach, reach
from webhookproxy.delivery.sending.trial import Trial, TrialResult
from webhookproxy.listener.client import Address
from webhookproxy.listener.token_check import check_token
from webhookproxy.network.dial import Resolver, shared_resolver
from webhookproxy.network.guard import Policy, UrlRefused
from webhookproxy.platform.rest import PlatformError
from webhookproxy.platform.token_owner import TokenOwner, token_owner
from webhookproxy.reasons import ConnectionReason, PlatformTrouble

# All are asked side by side, and the page waits no longer than this.
DEADLINE_SECONDS = 30.0
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Way:
    """A webhook to be tried: its URL, and the event to send there, if one is to be sent."""

    webhook_id: int
    url: str
    trial: Trial | None


@dataclass(slots=True)
class Tried:
    """The results for a URL by the deadline; None stands for a step that was not reached."""

    refused: UrlRefused | None = None
    reach: Reach | None = None
    result: TrialResult | None = None


@dataclass(slots=True)
class Found:
    """The answers. `token` is None if no one was asked, or if no answer came."""

    token: ConnectionReason | None = None
    # Whose each token is, by the name under which it was asked.
    owners: dict[str, TokenOwner | PlatformTrouble] = field(default_factory=dict)
    urls: dict[int, Tried] = field(default_factory=dict)


def ask(
    address: Address | None,
    ways: Sequence[Way],
    policy: Policy,
    owners: Mapping[str, Callable[[], Mapping[str, Any]]],
) -> Found:
    """Ask all of them at once, without the database, and end within DEADLINE_SECONDS.

    `owners` ask 3C Plus whose each token is.
    """
    found, group, resolver = Found(), Group(), shared_resolver()

    def token(address: Address) -> None:
        found.token = check_token(address, policy, resolver)

    def owner(name: str, me: Callable[[], Mapping[str, Any]]) -> None:
        try:
            found.owners[name] = token_owner(me())
        except PlatformError as error:
            found.owners[name] = error.trouble

    for name, me in owners.items():
        group.spawn(owner, name, me)
    if address is not None:
        group.spawn(token, address)
    for way in ways:
        tried = found.urls[way.webhook_id] = Tried()
        group.spawn(_try, way, tried, policy, resolver)
    group.join(DEADLINE_SECONDS)
    # They hold only sockets, which close.
    group.kill()
    return found


def _try(way: Way, tried: Tried, policy: Policy, resolver: Resolver) -> None:
    try:
        tried.reach = reach(way.url, policy, resolver, CONNECT_SECONDS)
    except UrlRefused as refused:
        tried.refused = refused
        return
    if way.trial is not None and tried.reach.failed is None:
        tried.result = way.trial.send()
