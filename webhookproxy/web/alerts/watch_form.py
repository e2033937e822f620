"""The form of what a user is told of: for each condition a choice, and minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from wtforms import Field, SelectField, StringField

from webhookproxy.alerts.conditions import CONDITIONS, MINUTES_MAX, Condition
from webhookproxy.alerts.preferences import Watches
from webhookproxy.web.shared.forms import StoredForm, choices

USUAL, ON, OFF = "usual", "on", "off"


class WatchForm(StoredForm):
    """A choice for each of its conditions; `watch_form` makes one with the fields."""

    SHOWN: ClassVar[tuple[Condition, ...]] = ()

    def choice_of(self, condition: Condition) -> Field:
        """Return the field with the choice of a condition."""
        field: Field = self[f"{condition.value}_choice"]
        return field

    def minutes_of(self, condition: Condition) -> Field | None:
        """Return the field with the minutes; None where they cannot be chosen."""
        field: Field | None = self._fields.get(f"{condition.value}_minutes")
        return field

    def typed(self) -> dict[str, Any]:
        """Return for each condition whether it is watched and its minutes; None for as usual."""
        return {each.value: self._typed(each) for each in self.SHOWN}

    def _typed(self, condition: Condition) -> tuple[bool, int | None] | None:
        choice = str(self.choice_of(condition).data)
        minutes = self._minutes(condition)
        if choice == USUAL:
            return None
        return choice == ON, minutes

    def _minutes(self, condition: Condition) -> int | None:
        field = self.minutes_of(condition)
        typed = "" if field is None else str(field.data or "").strip()
        if field is None or not typed:
            return None
        if typed.isascii() and typed.isdigit() and len(typed) <= 6 and int(typed) <= MINUTES_MAX:
            return int(typed)
        self.unread.add(
            field.short_name,
            f"Give 0 to {MINUTES_MAX} minutes.",
            f"{CONDITIONS[condition].label}: informe de 0 a {MINUTES_MAX} minutos, sem vírgula.",
        )
        return None


def watch_form(shown: Iterable[Condition], stored: Watches, company_id: int | None) -> WatchForm:
    """Return the form for these conditions, filled with what is stored for a company or for all."""
    fields: dict[str, Any] = {"SHOWN": tuple(shown)}
    data: dict[str, str] = {}
    for condition in fields["SHOWN"]:
        watched = CONDITIONS[condition]
        minutes = stored.minutes(condition, None)
        options = {ON: "Avisar", OFF: "Não avisar"}
        if company_id is not None:
            usual = "avisar" if stored.is_on(condition, None) else "não avisar"
            options = {USUAL: f"Como em todas ({usual})", **options}
        name = condition.value
        fields[f"{name}_choice"] = SelectField(watched.label, choices=choices(options))
        chosen = stored.chosen.get((condition, company_id))
        data[f"{name}_choice"] = (
            (ON if company_id is None else USUAL) if chosen is None else ON if chosen[0] else OFF
        )
        if watched.is_timed:
            usual_minutes = watched.minutes if company_id is None else minutes
            fields[f"{name}_minutes"] = StringField(
                "Minutos (opcional)",
                description=f"Em branco: {usual_minutes} min.",
                render_kw={
                    "inputmode": "numeric",
                    "aria-label": f"{watched.label}: minutos (opcional)",
                },
            )
            own = None if chosen is None else chosen[1]
            data[f"{name}_minutes"] = "" if own is None else str(own)
    made = type("WatchForm", (WatchForm,), fields)
    form: WatchForm = made(data=data)
    return form
