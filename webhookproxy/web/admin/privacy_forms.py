"""The form that asks for a telephone or CPF."""

from __future__ import annotations

from wtforms import StringField
from wtforms.validators import InputRequired

from webhookproxy.web.shared.forms import Form


class NumberForm(Form):
    """A telephone with its area code, or a CPF."""

    number = StringField(
        "Telefone ou CPF",
        [InputRequired("Informe um telefone com DDD ou um CPF.")],
        description="Telefone com DDD (com ou sem o 55) ou CPF, com ou sem pontuação.",
        render_kw={"autocomplete": "off", "spellcheck": "false", "maxlength": "40"},
    )
