"""What is told apart of an answer: workflows that are off, and where a redirect leads."""

from __future__ import annotations

import pytest

from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.receivers import read_status, redirect_target
from webhookproxy.reasons import DeliveryReason

N8N = "https://n8n.example.com/webhook-test/0f2b"
MAKE = "https://hook.eu1.make.com/abcdefgh"


@pytest.mark.parametrize(
    ("status", "url", "expected"),
    [
        (404, N8N, (Kind.REFUSAL, DeliveryReason.N8N_TEST_URL)),
        (500, N8N, (Kind.FAILURE, DeliveryReason.FAILED_STATUS)),
        (404, N8N.replace("-test", ""), (Kind.REFUSAL, DeliveryReason.REFUSED_STATUS)),
        (404, "https://a.example/?x=/webhook-test/", (Kind.REFUSAL, DeliveryReason.REFUSED_STATUS)),
        (410, MAKE, (Kind.GONE, DeliveryReason.MAKE_OFF)),
        (404, MAKE, (Kind.REFUSAL, DeliveryReason.REFUSED_STATUS)),
        (410, "https://hook.eu1.make.com.example/", (Kind.GONE, DeliveryReason.GONE)),
        (200, MAKE, (Kind.SUCCESS, DeliveryReason.ACCEPTED)),
    ],
)
def test_a_workflow_that_is_off_is_told_apart(
    status: int, url: str, expected: tuple[Kind, DeliveryReason]
) -> None:
    assert read_status(status, url) == expected


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://www.example.com/hook", "https://www.example.com/hook"),
        ("/other", "https://example.com/other"),
        ("//cdn.example.com/x?token=canary#canary", "https://cdn.example.com/x"),
        ("https://b.example/hooks/0123456789abcdef/z", "https://b.example/hooks/0123…/z"),
        ("http://example.com/hook", "http://example.com/hook"),
        (None, None),
        ("", None),
        ("http://[::1", None),
        ("http://127.0.0.1/x", None),
        ("http://169.254.169.254/latest/meta-data", None),
        ("http://[::ffff:10.0.0.1]/", None),
        ("http://0x7f.1/", None),
        ("http://localhost:8080/", None),
        ("http://intranet/", None),
        ("http://db.internal/", None),
        ("https://user:canary@example.com/", None),
        ("javascript:alert(1)", None),
        ("\xe9\xff\x00", None),
        ("https://example.com/" + "x" * 70_000, None),
    ],
)
def test_where_a_redirect_leads_is_shown_only_if_it_may_be(
    location: str | None, shown: str | None
) -> None:
    assert redirect_target("https://example.com/hook", location) == shown
