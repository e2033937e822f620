"""The forms: in Portuguese, saved once, and never over a newer version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from flask import current_app, flash, request
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from wtforms import Field, HiddenField

# The published types are of WTForms 3.2, which did not have it yet.
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]

from webhookproxy.api.shared.writing import write_and_tell
from webhookproxy.models.installation.submissions import once
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Problems, Refused
from webhookproxy.web.shared import drafts
from webhookproxy.web.shared.access import account

T = TypeVar("T")

# For a field of another service's secret. "off" lets password managers fill in the user's own
# password; the other two names are those by which 1Password and LastPass leave a field alone.
NOT_TO_BE_FILLED = {
    "autocomplete": "new-password",
    "spellcheck": "false",
    "data-1p-ignore": "",
    "data-lpignore": "true",
}


def choices(names: Mapping[str, str]) -> list[SelectChoice]:
    """Return the options of a choice, by what is sent: what is shown."""
    return [SelectChoice(value, label=name) for value, name in names.items()]


class Form(FlaskForm):
    """A form in Portuguese; after a login it shows what was typed before the session expired."""

    class Meta(FlaskForm.Meta):
        locales = ("pt",)

    # The heading of the problems.
    FAILED: ClassVar[str] = "Nada foi salvo."

    # Whether the form shows what was typed before the session expired.
    recovered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if request.method == "GET" and (draft := drafts.take()) is not None:
            kwargs["formdata"] = draft
            self.recovered = True
        super().__init__(*args, **kwargs)

    def take(self, refused: Refused) -> None:
        """Show each refused problem beside its field, or above the form if it has no field."""
        for problem in refused.problems:
            field: Field | None = self._fields.get(self.field_of(problem.field))
            if field is None:
                self.form_errors.append(problem.portuguese)
            else:
                field.errors = [*field.errors, problem.portuguese]

    def field_of(self, name: str) -> str:
        """Return the name of the field in which a stored value is typed."""
        return name

    def problems(self) -> list[tuple[str, str, str]]:
        """Return everything that is wrong: the field's id, its label, the sentence."""
        found = [("", "", sentence) for sentence in self.form_errors]
        for field in self:
            found += [(field.id, field.label.text, str(sentence)) for sentence in field.errors]
        return found


class StoredForm(Form):
    """A form that creates or edits a row, once however often it is sent."""

    # Fields that show_newer compares, and what it says: a form that has them has a `version` too.
    COMPARED: ClassVar[tuple[str, ...]] = ()
    CONFLICT: ClassVar[str] = ""

    submission = HiddenField(default=lambda: drafts.submission_key(account().id))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What `typed` could not read.
        self.unread = Problems()

    def typed(self) -> dict[str, Any]:
        """Return what is to be stored.

        What cannot be read is noted in `unread`, and something that can be stands in its place:
        so the other fields are checked too.
        """
        raise NotImplementedError

    def save(
        self, act: Callable[[Session, dict[str, Any]], int], *company_ids: int
    ) -> tuple[int, bool] | None:
        """Store what was typed with `act`, unless a request with the same fields was sent before.

        Return the number that `act` returned, now or then, and whether it ran now. Return None if
        it was refused; the form then says why. Raises Conflict.
        """
        sent = repr((request.path, sorted(request.form.items(multi=True))))
        key = hashlib.sha256(sent.encode()).hexdigest()
        typed = self.typed()

        def job(session: Session) -> tuple[int, bool]:
            try:
                saved = once(session, key, lambda: act(session, typed))
            except Refused as refused:
                raise self.unread.joined(refused) from None
            self.unread.raise_any()
            return saved

        try:
            return write(job, *company_ids)
        except Refused as refused:
            self.take(refused)
            return None

    def check_version(self, stored: Any) -> None:
        """Raise Conflict if the stored row is not the version that this form showed."""
        if str(stored.version) != self["version"].data:
            raise Conflict

    def show_newer(self, stored: Any) -> None:
        """Show what is stored beside each field that says otherwise; sent again, the form wins."""
        self.form_errors.append(self.CONFLICT)
        newer = type(self)(formdata=None)
        newer.fill(stored)
        self["version"].data = newer["version"].data
        for name in self.COMPARED:
            field, value = self[name], newer[name].data
            if _words(value) != _words(field.data):
                # The macro that draws a field shows it.
                field.newer = _label(field, value)


def _words(value: Any) -> list[str]:
    return sorted(value if isinstance(value, list) else str(value or "").split())


def _label(field: Field, value: Any) -> str:
    """Return a stored value in the words of its field."""
    if isinstance(value, list):
        return ", ".join(sorted(value)) or "(vazio)"
    names = {each.value: each.label for each in getattr(field, "choices", ())}
    return str(names.get(value, value) or "(vazio)")


class Conflict(Exception):
    """Someone else saved a newer version meanwhile; nothing was written."""


def write(job: Callable[[Session], T], *company_ids: int) -> T:
    """Run a write; then wake the engine, and redraw the open pages of the companies.

    Raises what the job raises, Conflict and StoreUnavailable; then nothing was written.
    """
    try:
        return write_and_tell(current_app, job, *company_ids)
    except StaleDataError:
        raise Conflict from None


def write_or_say(job: Callable[[Session], T], *company_ids: int) -> T | None:
    """Run a write, see `write`; if it is refused, have the next page say why and return None."""
    try:
        return write(job, *company_ids)
    except Refused as refused:
        flash(refused.problems[0].portuguese, "error")
        return None


def policy() -> Policy:
    """Return the rules about the addresses that sockets and webhooks may lead to."""
    found: Policy = current_app.extensions["policy"]
    return found
