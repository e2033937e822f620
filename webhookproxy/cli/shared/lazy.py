"""Groups whose commands are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from flask.cli import AppGroup


class LazyGroup(AppGroup):
    """A group that knows where its commands are: `module:name` by the command's name."""

    def __init__(
        self, *arguments: Any, lazy: Mapping[str, str] | None = None, **others: Any
    ) -> None:
        super().__init__(*arguments, **others)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, and import none."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command, imported now if it was not; None without such a command."""
        if name not in self.commands and name in self._lazy:
            module, found = self._lazy[name].split(":")
            self.add_command(getattr(import_module(module), found), name)
        return super().get_command(ctx, name)
