"""docs/uso/metricas.md, the dashboard and the alert rules name the metrics that are served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from flask import Flask

from tests.support.application import make_company, make_webhook
from tests.web.metrics.scraping import Scraped, scrape
from tests.web.metrics.test_page import IdleEngine
from tests.web.support.sockets import owner

DOCS = Path(__file__).parents[3] / "docs/uso"
# The words of PromQL that our expressions need, with the labels that they group by.
WORDS = {
    *("sum", "max", "min", "topk", "rate", "absent", "histogram_quantile", "by", "or", "unless"),
    *("webhook", "class", "le", "m"),
}


@pytest.fixture
def served(app: Flask) -> Scraped:
    owner(app)
    make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    app.extensions["engine"] = IdleEngine()
    return scrape(app)


def test_the_page_has_every_metric_with_its_type_and_no_other(served: Scraped) -> None:
    text = (DOCS / "metricas.md").read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", text, re.MULTILINE))
    ending = {"counter": "_total"}
    found = {f"{each.name}{ending.get(each.type, '')}": each.type for each in served.families}
    assert described == found


def check(expression: str, served: Scraped) -> None:
    """Check that an expression names metrics that are served, and nothing else unknown."""
    names = set(re.findall(r"[a-z_]+", expression))
    metrics = {name for name in names if name.startswith(("webhookproxy", "process"))}
    assert metrics, expression
    assert metrics <= served.names, expression
    assert names - metrics <= WORDS, expression


def test_each_alert_is_about_metrics_that_are_served(served: Scraped) -> None:
    groups = yaml.safe_load((DOCS / "metricas/alertas.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len({rule["alert"] for rule in rules}) == 4
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[0-9]+[smh]", rule["for"])
        check(rule["expr"], served)


def test_each_panel_of_the_dashboard_is_about_metrics_that_are_served(served: Scraped) -> None:
    board = json.loads((DOCS / "metricas/painel-grafana.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            check(target["expr"], served)
    assert [each["name"] for each in board["__inputs"]] == ["DS_PROMETHEUS"]
