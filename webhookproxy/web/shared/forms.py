"""What the forms share: Portuguese words, errors from the rules, forms that are used once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

from flask import current_app, request
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from wtforms import Field, HiddenField

# The published types are of WTForms 3.2, which did not have it yet.
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.store import Store
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.models.installation.submissions import once
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused
from webhookproxy.web.shared import drafts

T = TypeVar("T")


def choices(names: Mapping[str, str]) -> list[SelectChoice]:
    """The options of a choice: what is sent, and what is shown."""
    return [SelectChoice(value, label=name) for value, name in names.items()]


class Form(FlaskForm):
    """A form in Portuguese; after a login it shows what was typed before the session expired."""

    class Meta(FlaskForm.Meta):
        locales = ("pt",)

    # Set when the form shows what was typed before the session expired.
    recovered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if request.method == "GET" and (draft := drafts.take()) is not None:
            kwargs["formdata"] = draft
            self.recovered = True
        super().__init__(*args, **kwargs)

    def take(self, refused: Refused) -> None:
        """Show what the rules refused beside the fields it is about, or above the form."""
        for problem in refused.problems:
            field: Field | None = self._fields.get(problem.field)
            if field is None:
                self.form_errors.append(problem.portuguese)
            else:
                field.errors = [*field.errors, problem.portuguese]

    def problems(self) -> list[tuple[str, str, str]]:
        """Everything that is wrong: the field's id, its label, the sentence."""
        found = [("", "", sentence) for sentence in self.form_errors]
        for field in self:
            found += [(field.id, field.label.text, str(sentence)) for sentence in field.errors]
        return found


class CreatingForm(Form):
    """A form that makes a row, and only one however often it is sent."""

    submission = HiddenField(default=lambda: uuid4().hex)

    def make(self, session: Session, create: Callable[[], int]) -> int:
        """The number of the row that `create` makes, or made when this was sent before."""
        return once(session, str(self.submission.data)[:64], create)


class Conflict(Exception):
    """Somebody else saved a newer version meanwhile; nothing was written."""


def write(job: Callable[[Session], T], company_id: int | None = None) -> T:
    """Run a write; then the engine follows it at once, and open pages show it.

    Raises what the job raises, Conflict and StoreUnavailable; then nothing was written.
    """
    store: Store = current_app.extensions["store"]
    try:
        value = store.session(job)
    except StaleDataError:
        raise Conflict from None
    # What this request read before is old now.
    db.session.expire_all()
    engine: Engine | None = current_app.extensions.get("engine")
    if engine is not None:
        engine.wake()
    if company_id is not None:
        broadcast: Broadcast = current_app.extensions["broadcast"]
        broadcast.tell(company_id)
    return value


def policy() -> Policy:
    """Which addresses sockets and webhooks may lead to."""
    found: Policy = current_app.extensions["policy"]
    return found
