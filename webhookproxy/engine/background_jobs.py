"""The jobs that the owner of the sockets does behind the traffic, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from flask import Flask

from webhookproxy.alerts.channels import Channels
from webhookproxy.alerts.telling.outbox import Outbox
from webhookproxy.alerts.watching.watcher import Watcher
from webhookproxy.config.address import linked_address
from webhookproxy.database.clock import seconds_now
from webhookproxy.delivery.outcomes.resending import Resending
from webhookproxy.engine.dead_man import DeadMansSwitch
from webhookproxy.engine.installation import Installation
from webhookproxy.engine.last_word import LastWord
from webhookproxy.engine.liveness import look
from webhookproxy.engine.processes.listing import is_oldest
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.engine.shares.spared import Job
from webhookproxy.housekeeping.purge import ignore_ids
from webhookproxy.housekeeping.steps import Housekeeping
from webhookproxy.listener.token_check import TokenSwitch
from webhookproxy.network.dial import Resolver, shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.rest import shared_rest
from webhookproxy.recovery.call_keys import CallKeys
from webhookproxy.recovery.comparing import Comparing
from webhookproxy.recovery.recovering import Recovering
from webhookproxy.recovery.writing import Writer
from webhookproxy.search.index.indexer import Indexer
from webhookproxy.troubles.outages import Outages


class ShareJobs(NamedTuple):
    """The jobs of a share, which run while it is owned."""

    housekeeping: Housekeeping
    resending: Resending
    recovering: Recovering
    comparing: Comparing
    outages: Outages
    token_switch: TokenSwitch


class InstallationJobs(NamedTuple):
    """The jobs of the installation as a whole: `last_word` runs at any time."""

    indexer: Indexer
    dead_mans_switch: DeadMansSwitch
    watcher: Watcher
    outbox: Outbox
    last_word: LastWord

    def of_owner(self) -> list[Job]:
        """Return those that run while the first share is owned."""
        return [self.indexer, self.dead_mans_switch, self.watcher, self.outbox]


def share_jobs(
    app: Flask,
    relay: Relay,
    clock: Callable[[], float] = seconds_now,
    *,
    gone: Callable[[list[int]], None] = ignore_ids,
) -> ShareJobs:
    """Return the jobs of a relay; only tests bring a clock. `gone` gets the events removed."""
    config, store, reading = app.config, relay.store, relay.reading
    days, share = config["RETENTION_DAYS"], relay.share
    housekeeping = Housekeeping(
        store,
        reading,
        relay.lanes.lane,
        days,
        config["UNWANTED_HOURS"],
        clock,
        audit_days=config["AUDIT_DAYS"],
        max_data_bytes=config["MAX_DATA_BYTES"],
        gone=gone,
        fence=lambda: relay.fence,
        share=share,
    )
    journal = relay.intake.journal
    resending = Resending(store, reading, relay.lanes.attend, journal.reserved, days, clock, share)
    rest = shared_rest(app.extensions)
    writer = Writer(relay.intake, relay.routes, relay.lanes.attend, clock)
    keys = CallKeys(reading, app.extensions["search"])
    policy = app.extensions["policy"]
    recovering = Recovering(store, reading, rest, writer, keys, policy, clock, share)
    tell = app.extensions["broadcast"].tell
    comparing = Comparing(store, reading, rest, policy, lambda: journal.fence, tell, clock, share)
    token_switch = TokenSwitch(store, reading, policy, lambda: relay.fence, share)
    outages = Outages(store, reading, tell, clock, share)
    return ShareJobs(housekeeping, resending, recovering, comparing, outages, token_switch)


def installation_jobs(
    app: Flask, first: Relay, clock: Callable[[], float] = seconds_now, *, name: str = ""
) -> InstallationJobs:
    """Return the jobs of the installation in the process of this name; `first`: its first share."""
    config, store, reading = app.config, first.store, first.reading
    policy = app.extensions["policy"]
    indexer = Indexer(app.extensions["search"], reading)
    client = Client(policy, shared_resolver(), max_idle=0)
    looking = partial(look, reading, first.failing_since)
    switch = DeadMansSwitch(config["HEARTBEAT_URL"], client, looking)
    installation = Installation(reading, config["MAX_DATA_BYTES"], clock)
    watcher = Watcher(store, reading, installation.states, clock, lambda: first.fence)
    # Another resolver: names without an answer must not hold up the webhooks.
    channels = Channels(config, Client(policy, Resolver()))
    base = linked_address(config)
    outbox = Outbox(store, reading, channels, base, clock)
    oldest = partial(is_oldest, reading, name)
    last_word = LastWord(
        store, reading, channels, base, looking, lambda: first.is_running, oldest, clock
    )
    return InstallationJobs(indexer, switch, watcher, outbox, last_word)
