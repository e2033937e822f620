"""The body's bytes, the headers and the signatures that receivers rely on."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from webhookproxy.events import contract, payload
from webhookproxy.events.catalog import CATALOG
from webhookproxy.version import __version__

GOLDEN = Path(__file__).parent
EVENT_ID = "evt_018cc251f4007000800000000000002a"
SECRET = "minha_chave_secreta"


def make_body(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "event": "agent-is-idle",
        "payload": '{"agent_id": "123", "timestamp": "2024-01-01T00:00:00.000Z"}',
        "socket_id": "socket_123",
        "token_mask": contract.token_mask("rRrXvDCg07AEJRYKenHDxxymhQ5h8KrL"),
        "received_at_ms": 1_704_067_200_000,
        "webhook_id": 456,
        "company_id": 789,
        "event_id": EVENT_ID,
    }
    return contract.body(contract.Source(**(arguments | changes)))


def make_headers(**changes: Any) -> dict[str, str]:
    arguments: dict[str, Any] = {
        "event": "agent-is-idle",
        "event_id": EVENT_ID,
        "attempt": 1,
        "body": make_body(),
        "authorization_value": "meu_token_secreto",
        "secrets": [SECRET],
        "now_s": 1_704_067_201,
    }
    return contract.headers(**(arguments | changes))


def test_the_body_is_golden() -> None:
    assert make_body() == (GOLDEN / "golden_body.json").read_bytes()


def test_every_header_is_golden() -> None:
    lines = "".join(f"{name}: {value}\n" for name, value in make_headers().items())
    golden = (GOLDEN / "golden_headers.txt").read_text(encoding="ascii")
    assert lines == golden.replace("<version>", __version__)


def test_without_authorization_and_secret_only_the_constant_headers_are_sent() -> None:
    assert make_headers(authorization_value=None, secrets=[], attempt=3) == {
        "Content-Type": "application/json",
        "X-Webhook-Event": "agent-is-idle",
        "X-Webhook-Attempt": "3",
        "Accept": "application/json, */*;q=0.8",
        "User-Agent": f"webhookproxy/{__version__}",
    }


def test_own_headers_go_out_and_replace_ours_of_the_same_name() -> None:
    own = (("X-Api-Key", "abc"), ("accept", "text/plain"))
    sent = make_headers(authorization_value=None, secrets=[], own=own)
    assert [name for name in sent if name.lower() == "accept"] == ["accept"]
    assert (sent["accept"], sent["X-Api-Key"]) == ("text/plain", "abc")
    assert sent["User-Agent"] == f"webhookproxy/{__version__}"


@pytest.mark.parametrize("name", CATALOG)
def test_the_payloads_text_arrives_as_3c_plus_sent_it(name: str) -> None:
    sent = json.dumps(CATALOG[name].sample, ensure_ascii=False)
    event = payload.read(f"[{json.dumps(name)},{sent}]", hide_credentials=False)
    body = make_body(event=event.name, payload=event.payload)
    assert b',"payload":' + sent.encode() + b',"meta":{' in body
    assert json.loads(body)["payload"] == CATALOG[name].sample
    assert list(json.loads(body)) == ["event", "payload", "meta"]


def test_odd_strings_of_ours_are_written_as_json() -> None:
    body = make_body(event='ação "x"\\\n', socket_id="\ud800é")
    assert "ação".encode() in body
    assert json.loads(body)["event"] == 'ação "x"\\\n'
    assert json.loads(body)["meta"]["socketId"] == "\ud800é"


@pytest.mark.parametrize(
    ("token", "mask"),
    [
        ("rRrXvDCg07AEJRYKenHDxxymhQ5h8KrL", "rRrX…8KrL"),
        ("1234567890123", "1234…0123"),
        ("123456789012", "…"),
        ("", "…"),
    ],
)
def test_a_token_shows_its_ends_only_when_it_is_long(token: str, mask: str) -> None:
    assert contract.token_mask(token) == mask


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1_704_067_200_000, "2024-01-01T00:00:00.000Z"),
        (1_704_067_200_007, "2024-01-01T00:00:00.007Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
    ],
)
def test_a_timestamp_is_utc_with_milliseconds(ms: int, text: str) -> None:
    assert contract.timestamp(ms) == text


def test_event_ids_are_version_7_and_carry_the_time() -> None:
    now_ms = time.time_ns() // 1_000_000 + 60_000
    # Other tests of this process may have made ids of later moments.
    event_id = contract._EventIds().next(now_ms)
    assert re.fullmatch(r"evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", event_id)
    assert int(event_id[4:16], 16) == now_ms


def test_event_ids_only_grow_inside_a_millisecond_and_when_the_clock_goes_back() -> None:
    now_ms = time.time_ns() // 1_000_000
    moments = [now_ms] * 5_000 + [now_ms - 3_600_000] * 5_000 + [now_ms + 1]
    ids = [contract.new_event_id(moment) for moment in moments]
    assert ids == sorted(set(ids))


def test_the_signature_is_hmac_sha256_in_plain_hex() -> None:
    # The example of GitHub's documentation of webhooks.
    assert contract.signature("It's a Secret to Everybody", b"Hello, World!") == (
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


@pytest.mark.parametrize(
    ("key", "data", "digest"),
    [
        # Cases 2 and 1: the other keys are bytes that are no UTF-8 text, as ours always are.
        (
            "Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
    ],
)
def test_the_signature_is_that_of_rfc_4231(key: str, data: bytes, digest: str) -> None:
    assert contract.signature(key, data) == digest


def test_the_standard_signature_is_computed_as_published() -> None:
    # The published vector's key is bytes that are not text, so its library stands in for the key.
    published = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    event_id, moment, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}'
    assert published.sign(event_id, datetime.fromtimestamp(moment, UTC), body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    ours = contract.standard_signature([SECRET], event_id, moment, body.encode())
    theirs = Webhook(contract.whsec(SECRET))
    assert ours == theirs.sign(event_id, datetime.fromtimestamp(moment, UTC), body)


@pytest.mark.parametrize("key", [SECRET.encode(), contract.whsec(SECRET)])
@pytest.mark.parametrize("secrets", [[SECRET], ["outra", SECRET], [SECRET, "outra"]])
def test_a_receiver_verifies_with_the_standard_webhooks_library(
    key: str | bytes, secrets: list[str]
) -> None:
    body = make_body(payload='{"nome":"João"}')
    headers = make_headers(body=body, secrets=secrets, now_s=int(time.time()))
    assert Webhook(key).verify(body, headers)["payload"] == {"nome": "João"}


@pytest.mark.parametrize("length", [24, 32, 43, 64])
def test_a_typed_secret_in_the_form_of_the_libraries_verifies_with_the_text_typed(
    length: int,
) -> None:
    typed = "whsec_" + base64.b64encode(bytes(range(190, 190 + length))).decode()
    body = make_body()
    for secrets in ([typed], [SECRET, typed], [typed, SECRET]):
        headers = make_headers(body=body, secrets=secrets, now_s=int(time.time()))
        assert Webhook(typed).verify(body, headers)
    # The plain header is by the text, as with any other secret.
    plain = make_headers(body=body, secrets=[typed])["X-Signature-SHA256"]
    assert plain == hmac.new(typed.encode(), body, "sha256").hexdigest()
    assert contract.whsec(typed) == typed


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_" + "A" * 32, bytes(24)),
        ("whsec_" + "+/" * 16, base64.b64decode("+/" * 16)),
        ("whsec_", None),
        ("whsec_minha chave secreta de verdade", None),
        ("whsec_" + "A" * 31, None),
        ("whsec_" + "-_" * 16, None),
        ("whsec_" + "A" * 28, None),
        ("whsec_" + "A" * 88, None),
        ("WHSEC_" + "A" * 32, None),
        ("A" * 32, None),
        ("ção", None),
    ],
)
def test_only_whole_base64_of_the_right_length_is_a_key_of_its_own(
    secret: str, key: bytes | None
) -> None:
    assert contract.decoded_whsec(secret) == key


def test_with_two_secrets_the_plain_header_stays_with_the_old_one() -> None:
    headers = make_headers(secrets=["nova", "velha"])
    assert headers["X-Signature-SHA256"] == contract.signature("velha", make_body())
    assert headers["X-Signature-SHA256-Next"] == contract.signature("nova", make_body())
    assert headers["webhook-signature"].split(" ") == [
        make_headers(secrets=[secret])["webhook-signature"] for secret in ("nova", "velha")
    ]
    assert "X-Signature-SHA256-Next" not in make_headers()


def test_a_secret_that_is_not_ascii_signs_with_its_utf8_bytes() -> None:
    assert contract.whsec("ção") == "whsec_w6fDo28="
    expected = hmac.new(b"\xc3\xa7\xc3\xa3o", b"x", "sha256").hexdigest()
    assert contract.signature("ção", b"x") == expected


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("meu_token", "Bearer meu_token"),
        ("Bearer meu_token", "Bearer meu_token"),
        ("bearer meu_token", "bearer meu_token"),
        ("Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
        ("Token token=abc, x=y", "Token token=abc, x=y"),
        ("chave:com=sinais", "Bearer chave:com=sinais"),
        ("a:b c", "Bearer a:b c"),
        ("Bearer ", "Bearer Bearer "),
    ],
)
def test_an_authorization_value_without_scheme_gets_bearer(typed: str, sent: str) -> None:
    assert contract.authorization(typed) == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("call-was-connected", "call-was-connected"),
        ("ação", "a%C3%A7%C3%A3o"),
        ("two words", "two%20words"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil:%201"),
        ("\ud800", "\\ud800"),
        ("n:_/%~", "n:_/%~"),
    ],
)
def test_an_event_name_is_visible_ascii_in_its_header(name: str, value: str) -> None:
    assert make_headers(event=name)["X-Webhook-Event"] == value
