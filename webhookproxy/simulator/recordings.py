"""The recordings of the played platform, and how oddly it gives them out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]+)-(?P<last>[0-9]*)|-(?P<end>[0-9]+))")
Fields = list[tuple[bytes, bytes]]


@dataclass
class RecordingOddities:
    """How the next `left` requests for a recording are answered, each as it was seen.

    `status` other than 200 (404 of some nodes, 422 above one in five seconds, 202 not ready yet);
    `redirect`: a 302 to this address; `size` of the audio, 0 for a voice mailbox; `content_type`.
    """

    left: int = 0
    status: int = 200
    redirect: str = ""
    size: int = 100_000
    content_type: str = "audio/mpeg"


class Recordings:
    """Counts what was asked for, and answers it."""

    def __init__(self) -> None:
        self.oddities = RecordingOddities()
        self.requests = 0

    def answer(self, wanted_range: str) -> tuple[int, Fields, bytes]:
        """Return the status, the headers and the body of an answer."""
        self.requests += 1
        odd = RecordingOddities()
        if self.oddities.left > 0:
            odd = self.oddities
            odd.left -= 1
        if odd.redirect:
            return 302, [(b"location", odd.redirect.encode())], b""
        if odd.status != 200:
            return odd.status, [(b"content-type", b"application/json")], b"{}"
        kind = (b"content-type", odd.content_type.encode())
        audio = audio_of(odd.size)
        if (part := _part(wanted_range, odd.size)) is None:
            return 200, [kind, (b"accept-ranges", b"bytes")], audio
        first, last = part
        if first >= odd.size:
            return 416, [(b"content-range", f"bytes */{odd.size}".encode())], b""
        said = f"bytes {first}-{last}/{odd.size}".encode()
        return 206, [kind, (b"content-range", said)], audio[first : last + 1]

    def state(self) -> dict[str, Any]:
        """Return how often a recording was asked for."""
        return {"requests": self.requests}


@lru_cache(maxsize=4)
def audio_of(size: int) -> bytes:
    """Return the bytes of every recording of this size; no two places of it look alike."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def _part(wanted_range: str, size: int) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(wanted_range)
    if found is None:
        return None
    if found["end"]:
        return max(0, size - int(found["end"])), size - 1
    last = int(found["last"]) if found["last"] else size - 1
    return int(found["first"]), min(last, size - 1)
