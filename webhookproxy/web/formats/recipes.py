"""The recipes: the gallery, and a webhook made from one by answering its questions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import Field, PasswordField, SelectField, StringField

from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, record_webhook
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.recipes.reading import Question, Recipe, recipes
from webhookproxy.rules.filters import stored_filters
from webhookproxy.rules.webhooks import WebhookInput
from webhookproxy.web.formats.preview import Preview, preview
from webhookproxy.web.shared.access import actor, administrators, company_or_404
from webhookproxy.web.shared.forms import NOT_TO_BE_FILLED, StoredForm, choices, policy
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("recipes", __name__)


class RecipeForm(StoredForm):
    """The name of the new webhook, and below it a field for each question."""

    name = StringField("Nome do webhook", description="Como ele aparece nas suas páginas.")

    def typed(self) -> dict[str, Any]:
        """Return the answers by their questions, and the name."""
        return {
            field.short_name: str(field.data or "")
            for field in self
            if field.short_name not in ("csrf_token", "submission")
        }


def form_of(recipe: Recipe) -> type[RecipeForm]:
    """Return a form with a field for each question of a recipe."""
    return type("Answers", (RecipeForm,), {key: _field(q) for key, q in recipe.questions.items()})


def _field(question: Question) -> Field:
    if question.choices is not None:
        offered = choices(question.choices)
        return SelectField(question.label, description=question.help, choices=offered)
    if question.secret:
        return PasswordField(
            question.label, description=question.help, render_kw=dict(NOT_TO_BE_FILLED)
        )
    return StringField(question.label, description=question.help, default=question.default)


@blueprint.get("/empresas/<company:company_id>/receitas")
@administrators
def index(company_id: int) -> str:
    """Show every recipe."""
    company = company_or_404(company_id)
    return render_template("formats/gallery.html", company=company, recipes=recipes())


@blueprint.route("/empresas/<company:company_id>/receitas/<key>", methods=["GET", "POST"])
@administrators
def use(company_id: int, key: str) -> str | Response:
    """Ask the questions, with the last events in the recipe; create the webhook."""
    company = company_or_404(company_id)
    recipe = recipes().get(key)
    if recipe is None:
        abort(404)
    form = form_of(recipe)()
    if form.name.data is None:
        form.name.data = recipe.usual_name
    if form.validate_on_submit() and (made := _create(form, recipe, company_id)):
        flash("O webhook foi criado e vale a partir de agora.")
        return redirect(url_for("webhooks.show", webhook_id=made), code=303)
    given = {"company": company, "recipe": recipe, "form": form}
    return render_template("formats/recipe.html", preview=_preview(company_id, recipe), **given)


def _create(form: RecipeForm, recipe: Recipe, company_id: int) -> int | None:
    """Create the webhook and return its number; None if the form says what is wrong."""
    allowed, who = policy(), actor()

    def act(session: Session, typed: dict[str, Any]) -> int:
        name = typed["name"]
        given = replace(recipe.filled(typed), name=name)
        webhook = create_webhook(session, company_id, given, allowed)
        record_webhook(session, who, Action.WEBHOOK_CREATED, company_id, webhook.id)
        return webhook.id

    saved = form.save(act, company_id)
    return None if saved is None else saved[0]


def _preview(company_id: int, recipe: Recipe) -> Preview:
    """Return the last events as the recipe sends them, with the usual answers."""
    made = recipe.sample()
    place = current_app.extensions["search"]
    shown = preview(db.session(), place, _unsaved(company_id, made), made.format)
    for public_id in sorted(each.public_id for each in shown.shown):
        note_view(public_id, company_id)
    return shown


def _unsaved(company_id: int, made: WebhookInput) -> Webhook:
    """Return a webhook that is not in the database: what the preview asks of one."""
    events = None if made.events is None else list(made.events)
    filters = stored_filters(made.filters)
    return Webhook(id=0, company_id=company_id, events=events, filters=filters)
