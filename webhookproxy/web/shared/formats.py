"""Times, numbers, addresses and JSON as the pages write them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, url_for
from markupsafe import Markup

from webhookproxy.database.clock import ms_now, utc_now
from webhookproxy.events.contract import token_mask
from webhookproxy.models.types import from_ms
from webhookproxy.network.guard import masked_url
from webhookproxy.rules.companies import BRAZILIAN_ZONES, DEFAULT_TIMEZONE
from webhookproxy.version import __version__

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+')
_INDENT = "  "
_DAY_SECONDS = 86_400
# A day may be an hour shorter.
_CLOCK_CHANGE_SECONDS = 3_600


def init_app(app: Flask) -> None:
    """Register the filters of the templates."""
    for each in (
        when,
        clock,
        dated,
        hour,
        number,
        exact,
        duration,
        plural,
        category,
        pretty,
        zone,
        span,
        span_begins,
        token_mask,
        masked_url,
    ):
        app.add_template_filter(each)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.add_template_global(ms_now, "now_ms")
    app.add_template_global(_static_address(Path(app.root_path) / "static"), "static_url")
    app.jinja_env.globals["version"] = __version__


def ago(instant: datetime, now: datetime | None = None) -> str:
    """Return how long ago, or in how long: "há 5 min", "em 30 s"."""
    seconds = ((now or utc_now()) - instant).total_seconds()
    future, seconds = seconds < 0, abs(seconds)
    if seconds < 60:
        # Counted seconds would change a live page at every look.
        return f"em {max(1, round(seconds))} s" if future else "agora mesmo"
    for size, unit in ((86_400, "dia"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            unit = "dias" if unit == "dia" and count > 1 else unit
            return f"{'em' if future else 'há'} {count} {unit}"
    return ""


def clock(instant: datetime | int, timezone: str = DEFAULT_TIMEZONE) -> str:
    """Return the time of day, with the date if it is not today: "14:02:33" or "23/11 14:02"."""
    local = _local(instant, timezone)
    today = utc_now().astimezone(local.tzinfo).date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%d/%m %H:%M")


def hour(instant: datetime | int, timezone: str = DEFAULT_TIMEZONE) -> str:
    """Return the hour of the day: "14h", or "14:30" where hours begin at half past."""
    local = _local(instant, timezone)
    return local.strftime("%H:%M" if local.minute else "%Hh")


# What a capital letter alone would write wrong.
_CATEGORIES = {
    "MARKETING": "Marketing",
    "email": "E-mail",
    "espionagem": "Escuta",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
}


def category(name: str) -> str:
    """Return a category of the catalogue as the pages write it."""
    return _CATEGORIES.get(name, name.capitalize())


def zone(timezone: str) -> str:
    """Return a timezone by the name that Brazilians know, or by its place."""
    return BRAZILIAN_ZONES.get(timezone, timezone.replace("_", " "))


def span(began: int, seconds: int, timezone: str = DEFAULT_TIMEZONE) -> str:
    """Return a stretch of time that begins in a second since 1970.

    It is "das 14h às 15h", with the date if it is not today ("23/11, das 14h às 15h"), or a day.
    """
    first, last = (_local(each * 1000, timezone) for each in (began, began + seconds))
    if seconds >= _DAY_SECONDS - _CLOCK_CHANGE_SECONDS:
        return first.strftime("%d/%m")
    day = "" if first.date() == utc_now().astimezone(first.tzinfo).date() else f"{first:%d/%m}, "
    pattern = "%H:%M" if first.minute or last.minute else "%Hh"
    return f"{day}das {first.strftime(pattern)} às {last.strftime(pattern)}"


def span_begins(began: int, seconds: int, timezone: str = DEFAULT_TIMEZONE) -> str:
    """Return the short words below a chart: "14h", "14:05", or "23/11" for a day."""
    first = _local(began * 1000, timezone)
    if seconds >= _DAY_SECONDS - _CLOCK_CHANGE_SECONDS:
        return first.strftime("%d/%m")
    return hour(began * 1000, timezone)


def dated(instant: datetime | int, timezone: str = DEFAULT_TIMEZONE) -> str:
    """Return date and time, as paper needs them: "23/11/2026 14:02:33"."""
    return _local(instant, timezone).strftime("%d/%m/%Y %H:%M:%S")


def when(instant: datetime | int | None, timezone: str = DEFAULT_TIMEZONE) -> Markup:
    """Return a `<time>` that says how long ago and holds the exact time; "nunca" for None."""
    if instant is None:
        return Markup("nunca")
    local = _local(instant, timezone)
    return Markup('<time datetime="{}" title="{} ({})">{}</time>').format(
        local.isoformat(timespec="milliseconds"), dated(local, timezone), timezone, ago(local)
    )


def _local(instant: datetime | int, timezone: str) -> datetime:
    moment = from_ms(instant) if isinstance(instant, int) else instant
    return moment.astimezone(ZoneInfo(timezone))


def number(value: float) -> str:
    """Return a number as Brazil writes it: 1.234.567 or 0,5."""
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}".removesuffix(".0")
    return text.translate(str.maketrans(",.", ".,"))


def exact(value: float) -> str:
    """Return a number with all its digits and no separator, as a form takes it: 1000 or 0,25."""
    return repr(float(value)).removesuffix(".0").replace(".", ",")


def duration(milliseconds: float) -> str:
    """Return milliseconds as "320 ms", "1,5 s" or "12 min"."""
    if milliseconds < 1000:
        return f"{round(milliseconds)} ms"
    if milliseconds < 60_000:
        return f"{number(round(milliseconds / 1000, 1))} s"
    return f"{number(round(milliseconds / 60_000))} min"


def plural(count: int, one: str, many: str) -> str:
    """Return the number with its word: "1 evento", "2 eventos"."""
    return f"{number(count)} {one if count == 1 else many}"


def pretty(text: str) -> str:
    """Return the same JSON with other white space.

    Numbers, escapes, repeated keys and the order of keys stay as they are: parsing and writing
    would change them. `text` must be JSON.
    """
    return "".join(_laid_out(_JSON_TOKEN.findall(text)))


def _laid_out(parts: list[str]) -> Iterator[str]:
    depth = 0
    before = ""
    for part in parts:
        if part in ("}", "]"):
            depth -= 1
            if before not in ("{", "["):
                yield "\n" + _INDENT * depth
        elif before in ("{", "[", ","):
            yield "\n" + _INDENT * depth
        yield ": " if part == ":" else part
        if part in ("{", "["):
            depth += 1
        before = part


def _static_address(folder: Path) -> Callable[[str], str]:
    @lru_cache(maxsize=64)
    def static_url(name: str) -> str:
        """Return the address of a static file, which changes with the file: browsers keep it."""
        mark = hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]
        return url_for("static", filename=name, v=mark)

    return static_url
