"""The text of an answer, as a person can read it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

# Bytes of a compressed answer's text.
INFLATED_MAX = 16_384

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
# What is called ISO-8859-1 is read as windows-1252, as browsers do (encoding.spec.whatwg.org).
_WINDOWS_1252 = ("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "windows-1252", "cp1252")


def readable(headers: Mapping[str, str], content: bytes) -> str:
    """Return the text of an answer's body, of which the end may be missing.

    The declared charset counts if it is UTF-8, ISO-8859-1 or windows-1252; any other counts as
    UTF-8. Without one, what is not UTF-8 is taken for windows-1252. A compressed body, which was
    not asked for, is inflated, or named for what it is.
    """
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if content and encoding not in ("", "identity"):
        inflated = _inflated(encoding, content)
        if inflated is None:
            return f"resposta compactada ({encoding[:20]})"
        content = inflated
    return _decoded(headers.get("Content-Type", ""), content)


def _inflated(encoding: str, content: bytes) -> bytes | None:
    if encoding in ("gzip", "x-gzip", "deflate"):
        # By its first bytes zlib tells its own form and gzip's apart; "deflate" may have neither.
        for form in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
            try:
                return zlib.decompressobj(form).decompress(content, INFLATED_MAX)
            except zlib.error:
                continue
    return None


def _decoded(content_type: str, content: bytes) -> str:
    declared = _CHARSET.search(content_type)
    if declared is not None:
        windows = declared[1].lower() in _WINDOWS_1252
        return content.decode("cp1252" if windows else "utf-8-sig", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Cut in the middle of a character, as the letters before it show.
        if error.reason == "unexpected end of data" and not content[: error.start].isascii():
            return content.decode("utf-8-sig", "replace")
    return content.decode("cp1252", "replace")
