"""The answers that are told apart: switched off, busy, Apps Script; and where redirects lead."""

from __future__ import annotations

import pytest

from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.receivers import read_answer, redirect_target
from webhookproxy.reasons import DeliveryReason

N8N = "https://n8n.example.com/webhook-test/0f2b"
MAKE = "https://hook.eu1.make.com/abcdefgh"
OTHER = "https://crm.example.com/hook"
SCRIPT = "https://script.google.com/macros/s/AKfycb/exec"
ECHO = "https://script.googleusercontent.com/macros/echo?user_content_key=k&lib=l"

REFUSED = (Kind.REFUSAL, DeliveryReason.REFUSED_STATUS)
FAILED = (Kind.ERROR, DeliveryReason.FAILED_STATUS)
BUSY = (Kind.BUSY, DeliveryReason.BUSY)
SLOWER = (Kind.BUSY, DeliveryReason.THROTTLED)
REDIRECTED = (Kind.FAILURE, DeliveryReason.REDIRECTED)
SCRIPT_RAN = (Kind.SUCCESS, DeliveryReason.APPS_SCRIPT_RAN)


@pytest.mark.parametrize(
    ("status", "url", "expected"),
    [
        (404, N8N, (Kind.REFUSAL, DeliveryReason.N8N_TEST_URL)),
        (500, N8N, FAILED),
        (404, N8N.replace("-test", ""), REFUSED),
        (404, "https://a.example/?x=/webhook-test/", REFUSED),
        (410, MAKE, (Kind.GONE, DeliveryReason.MAKE_OFF)),
        (404, MAKE, REFUSED),
        (410, "https://hook.eu1.make.com.example/", (Kind.GONE, DeliveryReason.GONE)),
        (200, MAKE, (Kind.SUCCESS, DeliveryReason.ACCEPTED)),
    ],
)
def test_a_workflow_that_is_off_is_told_apart(
    status: int, url: str, expected: tuple[Kind, DeliveryReason]
) -> None:
    assert read_answer(url, status) == expected


@pytest.mark.parametrize(
    ("status", "url", "said", "expected"),
    [
        (400, MAKE, "Queue is full.", (Kind.BUSY, DeliveryReason.MAKE_QUEUE_FULL)),
        (400, "https://hook.integromat.com/x", "queue is FULL", (Kind.BUSY, "make_queue_full")),
        (400, OTHER, '{"error": "Queue is full"}', BUSY),
        (400, MAKE, "Invalid phone", REFUSED),
        (429, OTHER, "", SLOWER),
        (423, OTHER, "", BUSY),
        (409, OTHER, "The record is locked by another update.", BUSY),
        (409, OTHER, "This lead exists already", REFUSED),
        (402, OTHER, "", (Kind.BUSY, DeliveryReason.OUT_OF_CREDITS)),
        (403, OTHER, "Insufficient credits", (Kind.BUSY, DeliveryReason.OUT_OF_CREDITS)),
        (403, OTHER, "Seus créditos esgotaram", (Kind.BUSY, DeliveryReason.OUT_OF_CREDITS)),
        (403, OTHER, '{"reason": "userRateLimitExceeded"}', SLOWER),
        (403, OTHER, '{"errorCode": "REQUEST_LIMIT_EXCEEDED"}', SLOWER),
        (400, OTHER, '{"__type": "ThrottlingException"}', SLOWER),
        (400, OTHER, "Muitas requisições", SLOWER),
        (503, OTHER, '{"error":"QUERY_LIMIT_EXCEEDED"}', SLOWER),
        (401, OTHER, '{"error":"expired_token"}', (Kind.BUSY, DeliveryReason.REFUSED_STATUS)),
        (401, OTHER, "", REFUSED),
        (403, OTHER, "", REFUSED),
        # An event whose own text speaks of limits is still refused for itself.
        (422, OTHER, "rate limit exceeded", REFUSED),
        (404, OTHER, "rate limit exceeded", REFUSED),
    ],
)
def test_a_busy_receiver_is_told_apart_by_what_it_says(
    status: int, url: str, said: str, expected: tuple[Kind, DeliveryReason]
) -> None:
    assert read_answer(url, status, said=said) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (503, (Kind.BUSY, DeliveryReason.FAILED_STATUS)),
        (409, BUSY),
        (413, BUSY),
        (403, BUSY),
        (404, REFUSED),
        (422, REFUSED),
        (500, FAILED),
    ],
)
def test_a_receiver_that_says_when_to_come_back_is_busy(
    status: int, expected: tuple[Kind, DeliveryReason]
) -> None:
    assert read_answer(OTHER, status, asks_patience=True) == expected


@pytest.mark.parametrize(
    ("status", "url", "location", "expected"),
    [
        (302, SCRIPT, ECHO, SCRIPT_RAN),
        (303, "https://script.google.com/a/macros/example.com/s/x/exec", ECHO, SCRIPT_RAN),
        # The address is made by the script that ran, whatever stands before it.
        (302, OTHER, ECHO, SCRIPT_RAN),
        (302, SCRIPT, "https://accounts.google.com/ServiceLogin?continue=x", "apps_script_private"),
        (302, OTHER, "https://accounts.google.com/ServiceLogin", REDIRECTED),
        (302, SCRIPT, ECHO.replace("https", "http"), REDIRECTED),
        (302, SCRIPT, ECHO.replace("/macros/echo", "/macros/other"), REDIRECTED),
        (302, SCRIPT, ECHO.replace(".com/", ".com.example/"), REDIRECTED),
        (302, SCRIPT, "http://[::1", REDIRECTED),
        (302, SCRIPT, None, REDIRECTED),
        (500, SCRIPT, ECHO, FAILED),
    ],
)
def test_a_redirect_of_apps_script_is_told_apart(
    status: int, url: str, location: str | None, expected: tuple[Kind, DeliveryReason] | str
) -> None:
    if isinstance(expected, str):
        expected = (Kind.FAILURE, DeliveryReason(expected))
    assert read_answer(url, status, location=location) == expected


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
