"""The body of an answer that the caller reads piece by piece."""

from __future__ import annotations

import time
from http.client import HTTPException

from webhookproxy.network import dial
from webhookproxy.network.http.errors import NoAnswer, bad_answer
from webhookproxy.network.http.idle import IdleLinks
from webhookproxy.network.http.link import Answer, Link, is_whole
from webhookproxy.reasons import DeliveryReason

# Bytes that are read of one body, unless its client was made for longer ones.
STREAMED_MAX = 16_000_000


class StreamedBody:
    """Read within the deadline of the whole exchange; `requests` knows it as Response.raw.

    A body that was not read whole raises NoAnswer: there is no half of it that counts.
    """

    def __init__(
        self,
        link: Link,
        answer: Answer,
        idle: IdleLinks,
        deadline: float,
        most: int = STREAMED_MAX,
    ) -> None:
        self._link = link
        self._answer = answer
        self._idle = idle
        self._deadline = deadline
        self._most = self._left = most
        self._ended = False
        link.allow(most)

    def read(self, size: int) -> bytes:
        """Return some bytes, at most `size`; none at the end, where the connection is kept."""
        if self._ended:
            return b""
        reusable = False
        try:
            piece = self._read(size)
            if piece:
                return piece
            reusable = self._link.is_reusable(self._answer)
        except BaseException:
            self.close()
            raise
        self._ended = True
        if reusable:
            self._idle.keep(self._link)
        else:
            self._link.close()
        return b""

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        if not self._ended:
            self._ended = True
            self._answer.close()
            self._link.close()

    def _read(self, size: int) -> bytes:
        late = NoAnswer(
            DeliveryReason.ANSWER_TIMEOUT, "The receiver did not end its answer in time."
        )
        try:
            with dial.time_limit(self._deadline - time.monotonic(), late):
                piece = self._answer.read1(size)
        except (OSError, HTTPException, ValueError):
            raise bad_answer() from None
        self._left -= len(piece)
        if self._left < 0:
            raise NoAnswer(
                DeliveryReason.BAD_ANSWER,
                f"The answer is longer than {self._most // 1_000_000} MB.",
            )
        if not piece and self._answer.length is not None and not is_whole(self._answer):
            raise NoAnswer(
                DeliveryReason.CONNECTION_LOST,
                "The receiver closed the connection in the middle of its answer.",
            )
        return piece
