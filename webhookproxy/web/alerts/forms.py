"""The forms of the page "Avisos": a new address, and how a user wants to be told."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, SelectField, StringField

from webhookproxy.models import AlertPreferences
from webhookproxy.rules import Refused
from webhookproxy.rules.alerts import AddressKind
from webhookproxy.web.alerts.words import KIND_NAMES, clock_of_minutes, minutes_of_clock
from webhookproxy.web.shared.forms import NOT_TO_BE_FILLED, StoredForm, choices


class AddressForm(StoredForm):
    """A new address of the user."""

    kind = SelectField("Canal", choices=choices({k.value: n for k, n in KIND_NAMES.items()}))
    target = StringField("Endereço", render_kw=dict(NOT_TO_BE_FILLED))

    def typed(self) -> dict[str, Any]:
        """Return the channel and the address."""
        return {"kind": AddressKind(self.kind.data), "typed": str(self.target.data or "")}

    def take(self, refused: Refused) -> None:
        """Show what is wrong; a secret that was typed is not sent back."""
        super().take(refused)
        if self.kind.data in (AddressKind.TELEGRAM, AddressKind.SLACK, AddressKind.NTFY):
            self.target.data = ""


class PreferencesForm(StoredForm):
    """When a user wants to be told."""

    is_on = BooleanField("Quero receber avisos")
    quiet_from = StringField("Silêncio das (opcional)")
    quiet_until = StringField("até as (opcional)")
    morning_line = BooleanField("Todo dia de manhã, uma linha sobre o dia anterior")

    def fill(self, stored: AlertPreferences | None) -> None:
        """Show what is stored; without a row, the defaults."""
        self.is_on.data = stored is None or stored.is_on
        if stored is None:
            return
        self.quiet_from.data = clock_of_minutes(stored.quiet_from)
        self.quiet_until.data = clock_of_minutes(stored.quiet_until)
        self.morning_line.data = stored.morning_line

    def typed(self) -> dict[str, Any]:
        """Return the preferences; a time that cannot be read is noted."""
        begins, ends = self._minutes("quiet_from"), self._minutes("quiet_until")
        quiet = None if begins is None or ends is None else (begins, ends)
        blank = [name for name in ("quiet_from", "quiet_until") if not self._typed(name)]
        if len(blank) == 1:
            self.unread.add(
                blank[0],
                "Give both ends of the quiet hours.",
                "Informe o começo e o fim do silêncio, ou deixe os dois em branco.",
            )
        return {"is_on": self.is_on.data, "quiet": quiet, "morning_line": self.morning_line.data}

    def field_of(self, name: str) -> str:
        """Return the name of the field in which a stored value is typed."""
        return "quiet_until" if name == "quiet" else name

    def _minutes(self, name: str) -> int | None:
        typed = self._typed(name)
        minutes = minutes_of_clock(typed)
        if typed and minutes is None:
            self.unread.add(
                name, "This is not a time.", "Escreva a hora como 22:00, de 00:00 a 23:59."
            )
        return minutes

    def _typed(self, name: str) -> str:
        return str(self[name].data or "").strip()
