"""The recipes: formats for well-known receivers, made from their public documentation.

Each stands in recipes.json, with the address of what was read and when; a new one needs no code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from webhookproxy.events.formats.definition import Format
from webhookproxy.events.formats.stored import read_format
from webhookproxy.rules.formats import check_format


@dataclass(frozen=True, slots=True)
class Recipe:
    """A format for one receiver, and what a user must know before using it.

    `yours` says what stays the user's, `repeat` what an event that arrives twice does there.
    """

    key: str
    name: str
    address: str
    events: tuple[str, ...]
    yours: str
    repeat: str
    documentation: str
    read: str
    format: Format


@cache
def recipes() -> dict[str, Recipe]:
    """Return all recipes by their keys."""
    text = files("webhookproxy.web.formats").joinpath("recipes.json").read_text(encoding="utf-8")
    found = [
        Recipe(
            key=each["key"],
            name=each["name"],
            address=each["address"],
            events=tuple(each["events"]),
            yours=each["yours"],
            repeat=each["repeat"],
            documentation=each["documentation"]["address"],
            read=each["documentation"]["read"],
            format=check_format(read_format(each["format"])),
        )
        for each in json.loads(text)
    ]
    return {each.key: each for each in found}
