"""The text of a message, for channels that take text."""

from __future__ import annotations

from webhookproxy.alerts.message import Message

SUBJECT_MAX = 200
CUT = "…"


def one_line(text: str) -> str:
    """Return the text on one line, without control characters: a name may contain any."""
    line = "".join(each if each.isprintable() else " " for each in text).strip()
    return line if len(line) <= SUBJECT_MAX else line[: SUBJECT_MAX - 1] + CUT


def printable(text: str) -> str:
    """Return the text without control characters, except line breaks."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def body_of(message: Message, most: int) -> str:
    """Return the lines and the link, in `most` bytes of UTF-8: the lines are cut, not the link."""
    end = f"\n\n{message.link}" if message.link else ""
    left = most - len(end.encode())
    return cut(printable("\n".join(message.lines)), left) + end


def whole_of(message: Message, most: int) -> str:
    """Return subject, lines and link in `most` bytes, for channels that know no subject."""
    subject = one_line(message.subject)
    return f"{subject}\n\n{body_of(message, most - len(subject.encode()) - 2)}"


def cut(text: str, most: int) -> str:
    """Return the text in `most` bytes of UTF-8, with "…" at its end if it was longer."""
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: most - len(CUT.encode())].decode(errors="ignore") + CUT
