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
from webhookproxy.database.fence import Share
from webhookproxy.delivery.outcomes.resending import Resending
from webhookproxy.engine.dead_man import DeadMansSwitch
from webhookproxy.engine.installation import Installation
from webhookproxy.engine.last_word import LastWord
from webhookproxy.engine.liveness import look
from webhookproxy.engine.processes.listing import is_oldest
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.engine.shares.spared import Job, ShareJob
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


class BackgroundJobs(NamedTuple):
    """All jobs of a share; `last_word` runs at any time, and the others while it is owned."""

    housekeeping: Housekeeping
    indexer: Indexer
    resending: Resending
    recovering: Recovering
    comparing: Comparing
    outages: Outages
    token_switch: TokenSwitch
    dead_mans_switch: DeadMansSwitch
    watcher: Watcher
    outbox: Outbox
    last_word: LastWord

    def of_every_share(self) -> list[ShareJob]:
        """Return those that run for every share that is owned."""
        return [
            self.housekeeping,
            self.resending,
            self.recovering,
            self.comparing,
            self.outages,
            self.token_switch,
        ]

    def of(self, share: Share) -> list[Job]:
        """Return those that run while this share is owned: in the first one, all."""
        jobs: list[Job] = [*self.of_every_share()]
        if share.is_first:
            jobs += [self.indexer, self.dead_mans_switch, self.watcher, self.outbox]
        return jobs


def background_jobs(
    app: Flask, relay: Relay, clock: Callable[[], float] = seconds_now, *, name: str = ""
) -> BackgroundJobs:
    """Return the jobs of a relay in the process of this name; only tests bring a clock."""
    config, store, reading = app.config, relay.store, relay.reading
    days, share = config["RETENTION_DAYS"], relay.share
    indexer = Indexer(app.extensions["search"], reading)
    housekeeping = Housekeeping(
        store,
        reading,
        relay.lanes.lane,
        days,
        config["UNWANTED_HOURS"],
        clock,
        audit_days=config["AUDIT_DAYS"],
        max_data_bytes=config["MAX_DATA_BYTES"],
        gone=indexer.gone,
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
    client = Client(policy, shared_resolver(), max_idle=0)
    looking = partial(look, reading, relay.failing_since)
    switch = DeadMansSwitch(config["HEARTBEAT_URL"], client, looking)
    installation = Installation(reading, config["MAX_DATA_BYTES"], clock)
    watcher = Watcher(store, reading, installation.states, clock, lambda: relay.fence)
    # Another resolver: names without an answer must not hold up the webhooks.
    channels = Channels(config, Client(policy, Resolver()))
    base = linked_address(config)
    outbox = Outbox(store, reading, channels, base, clock)
    oldest = partial(is_oldest, reading, name)
    last_word = LastWord(
        store, reading, channels, base, looking, lambda: relay.is_running, oldest, clock
    )
    return BackgroundJobs(
        housekeeping,
        indexer,
        resending,
        recovering,
        comparing,
        outages,
        token_switch,
        switch,
        watcher,
        outbox,
        last_word,
    )
