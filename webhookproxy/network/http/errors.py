"""Why there is no answer."""

from __future__ import annotations

from webhookproxy.reasons import DeliveryReason


class NoAnswer(Exception):
    """No answer: `detail` is a plain English sentence that names no address."""

    def __init__(self, reason: DeliveryReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class StaleLink(NoAnswer):
    """A kept connection turned out to be closed, or out of step, before a byte of the answer.

    This says nothing about the other side. No kept connection is left, so sending again opens a
    new one; whether the first request arrived is not known.
    """

    def __init__(self) -> None:
        super().__init__(
            DeliveryReason.CONNECTION_LOST, "The receiver closed the connection without answering."
        )


def bad_answer() -> NoAnswer:
    """Return what to raise for bytes that are not HTTP."""
    return NoAnswer(DeliveryReason.BAD_ANSWER, "The receiver's answer is not valid HTTP.")
