"""What this process knows of itself. Counters begin at 0 with it.

The label `process` tells the figures of an owner of sockets from those of processes that wait:
a monitor that asks one address may be answered by any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from webhookproxy.counts import Durations
from webhookproxy.engine.health import Counts, Health
from webhookproxy.version import __version__

LABEL = "process"


def version() -> Metric:
    """Return the version of the program."""
    family = GaugeMetricFamily("webhookproxy_info", "The version.", labels=["version"])
    family.add_metric([__version__], 1)
    return family


def storing_now(is_storing: bool) -> Metric:
    """Return whether events are stored now, which is what /saude says."""
    about = "1 while events are stored, as /saude says: 0 where it answers 503."
    return GaugeMetricFamily("webhookproxy_storing", about, float(is_storing))


def families(health: Health, counts: Counts) -> Iterator[Metric]:
    """Yield the figures of this process."""
    role = "owner" if health.owner else "standby"
    owned = "Shards of companies, of 64, that this process owns."
    yield _gauge("webhookproxy_shards_owned", owned, role, health.shards)
    yield _counter("webhookproxy_events", "Events stored.", role, counts.stored_events)
    attempts = CounterMetricFamily(
        "webhookproxy_attempts",
        "Requests sent to webhooks, by what the answer means.",
        labels=[LABEL, "class"],
    )
    for kind, count in counts.sent.attempts.items():
        attempts.add_metric([role, kind.value], count)
    yield attempts
    yield _histogram(
        "webhookproxy_attempt_seconds",
        "Time from the beginning of a request to its answer.",
        role,
        counts.sent.answered,
    )
    yield _histogram(
        "webhookproxy_delivery_seconds",
        "Time from the arrival of an event to its acceptance by a webhook.",
        role,
        counts.sent.delivered,
    )
    yield _histogram(
        "webhookproxy_commit_seconds",
        "Time for which a group of writes held the database, commit included.",
        role,
        counts.commits,
    )
    buffered = "Events in memory that are not stored yet."
    yield _gauge("webhookproxy_buffered_events", buffered, role, health.buffered)
    lag = "How late the event loop woke a greenlet, the last time it was measured."
    yield _gauge("webhookproxy_loop_lag_seconds", lag, role, health.loop_lag_ms / 1000)


def _counter(name: str, about: str, role: str, value: float) -> Metric:
    family = CounterMetricFamily(name, about, labels=[LABEL])
    family.add_metric([role], value)
    return family


def _gauge(name: str, about: str, role: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[LABEL])
    family.add_metric([role], value)
    return family


def _histogram(name: str, about: str, role: str, durations: Durations) -> Metric:
    family = HistogramMetricFamily(name, about, labels=[LABEL])
    sums = list(accumulate(durations.counts))
    limits = [str(2**place / 1000) for place in range(len(sums) - 1)]
    buckets = list(zip([*limits, "+Inf"], map(float, sums), strict=True))
    family.add_metric([role], buckets, durations.total_ms / 1000)
    return family
