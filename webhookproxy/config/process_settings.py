"""The settings of how several processes share the work on one database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhookproxy.config import parse
from webhookproxy.config.keys import ConfigError
from webhookproxy.config.setting import Setting

# See database/fence.py.
SHARDS = 64

PROCESS_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "TAKE_OVER",
        "0",
        "0 or 1",
        "1 asks the server that runs on this database to end once this one has sockets of its own; "
        "`bin/serve --take-over` sets it.",
        parse.switch,
    ),
    Setting(
        "SHARES",
        "1",
        "1, 2, 4, 8 or 16",
        "Into how many shares the companies are divided, so that several processes on one "
        "PostgreSQL can own some each: the same number in all of them. With 1 one process owns all "
        "companies, and the others wait.",
        parse.one_of("1", "2", "4", "8", "16"),
    ),
    Setting(
        "SHARDS_MAX",
        "64",
        "shards",
        "How many of the 64 shards of companies this process owns at most, in whole shares; with 0 "
        "it serves pages only.",
        parse.number(0, SHARDS),
    ),
)


def refuse_shares(config: Mapping[str, Any]) -> None:
    """Raise ConfigError if the shares cannot be owned as the settings say."""
    count, most = config["SHARES"], config["SHARDS_MAX"]
    if count > 1 and not config["DATABASE_URL"].startswith("postgresql"):
        raise ConfigError("SHARES needs a DATABASE_URL of PostgreSQL: set it, or remove SHARES.")
    if count > 1 and config["TAKE_OVER"]:
        raise ConfigError(
            "TAKE_OVER is for one process that owns all companies: with SHARES start the new "
            "version and end the old one, which hands its shares over."
        )
    if 0 < most < SHARDS // count:
        raise ConfigError(
            f"SHARDS_MAX is less than one share, which has {SHARDS // count} of the {SHARDS} "
            "shards: raise it, or set 0 for a process that serves pages only."
        )
