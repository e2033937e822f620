"""Read /metrics as Prometheus does."""

from __future__ import annotations

from flask import Flask
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

TOKEN = "canary-token-of-prometheus"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}


class Scraped:
    """The families of one text, and their values."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))

    def value(self, name: str, **labels: str) -> float:
        """Return the one value with this name and these labels, among others."""
        found = [
            each.value for each in self._samples(name) if labels.items() <= each.labels.items()
        ]
        assert len(found) == 1, (name, labels, found)
        return float(found[0])

    def labels(self, name: str, label: str) -> list[str]:
        """Return the values of a label, in the order of the text."""
        return [each.labels[label] for each in self._samples(name)]

    @property
    def names(self) -> set[str]:
        """Return the name of each line."""
        return {each.name for family in self.families for each in family.samples}

    def _samples(self, name: str) -> list[Sample]:
        return [each for family in self.families for each in family.samples if each.name == name]


def scrape(app: Flask) -> Scraped:
    """Ask for the text now; the one that is kept is forgotten."""
    app.config["METRICS_TOKEN"] = TOKEN
    app.extensions.pop("metrics", None)
    answer = app.test_client().get("/metrics", headers=ALLOWED)
    assert answer.status_code == 200, answer.text
    return Scraped(answer.text)
