from __future__ import annotations

import io
from http.client import HTTPResponse
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tests.support.receiver import Receiver, raw
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.common_answer import CommonAnswer, read_common
from webhookproxy.network.http.message import prepared

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

_TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20)
_NAMES = st.sampled_from(
    [
        "Date",
        "X-Odd",
        "Retry-After",
        "Location",
        "Connection",
        "content-length",
        "Set-Cookie",
        "X y",
    ]
)
_FIELDS = st.lists(st.tuples(_NAMES, _TEXT | st.sampled_from(["close", "keep-alive", "5"])))


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(cast(io.RawIOBase, io.BytesIO(self._data)))


def no_more(_size: int) -> bytes:
    return b""


def by_http_client(data: bytes) -> HTTPResponse:
    answer = HTTPResponse(cast(Any, _Socket(data)), method="POST")
    answer.begin()
    return answer


def body_of(answer: CommonAnswer | HTTPResponse) -> bytes:
    pieces = []
    while piece := answer.read1(3):
        pieces.append(piece)
    return b"".join(pieces)


@given(
    status=st.integers(100, 699),
    reason=_TEXT,
    fields=_FIELDS,
    length=st.integers(0, 12),
    body=st.binary(max_size=8),
)
def test_what_is_read_here_is_what_http_client_reads(
    status: int, reason: str, fields: list[tuple[str, str]], length: int, body: bytes
) -> None:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    lines.insert(1, f"Content-Length: {length}")
    data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    if (common := read_common(data, no_more)) is None:
        return
    theirs = by_http_client(data)
    assert common.status == theirs.status
    assert common.length == theirs.length
    assert common.will_close == (theirs.will_close or len(body) > length)
    expected = CaseInsensitiveDict(theirs.headers.items())
    assert {name: expected[name].strip() for name in common.headers} == {
        name: value.strip() for name, value in common.headers.items()
    }
    assert body_of(common) == body_of(theirs)
    assert common.length == theirs.length
    theirs.close()


def test_the_common_answer_is_read_here() -> None:
    common = read_common(HEAD + b"Content-Length: 2\r\n\r\nok", no_more)
    assert common is not None
    assert (common.status, common.length, common.will_close) == (200, 2, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"\r\nok",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        HEAD + b"Content-Length: -2\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\n folded\r\n\r\nok",
        HEAD + b"Content-Length : 2\r\n\r\nok",
    ],
)
def test_the_unusual_is_left_to_http_client(data: bytes) -> None:
    assert read_common(data, no_more) is None


def test_a_connection_with_bytes_that_nobody_asked_for_is_not_used_again() -> None:
    answer = HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 no\r\n\r\n"
    way = Client(Policy(allow_private=True, allow_http=False), Resolver())
    with Receiver(lambda _: raw(answer)) as receiver:
        for _ in range(2):
            response = way.send(prepared(receiver.url()).copy())
            assert (response.status_code, response.content) == (200, b"ok")
        assert receiver.connections == 2
    way.close()
