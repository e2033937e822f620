"""The forms to log in, to create the first administrator, and to change one's own password."""

from __future__ import annotations

from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired

from webhookproxy.web.shared.forms import Form

_REQUIRED = InputRequired("Preencha este campo.")


class LoginForm(Form):
    """An e-mail and its password."""

    email = EmailField("E-mail", [_REQUIRED], render_kw={"autocomplete": "username"})
    password = PasswordField("Senha", [_REQUIRED], render_kw={"autocomplete": "current-password"})


class FirstForm(Form):
    """The first administrator of an empty installation."""

    code = StringField(
        "Código do console",
        [_REQUIRED],
        description="Está no log do servidor, na linha que começa com “first access”.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    email = EmailField("E-mail", [_REQUIRED], render_kw={"autocomplete": "username"})
    password = PasswordField(
        "Senha",
        [_REQUIRED],
        description="Pelo menos 10 caracteres. Uma frase longa é melhor que símbolos.",
        render_kw={"autocomplete": "new-password"},
    )
    repeated = PasswordField(
        "Repita a senha", [_REQUIRED], render_kw={"autocomplete": "new-password"}
    )


class PasswordForm(Form):
    """One's own new password."""

    current = PasswordField(
        "Senha atual", [_REQUIRED], render_kw={"autocomplete": "current-password"}
    )
    password = PasswordField(
        "Senha nova",
        [_REQUIRED],
        description="Pelo menos 10 caracteres.",
        render_kw={"autocomplete": "new-password"},
    )
    repeated = PasswordField(
        "Repita a senha nova", [_REQUIRED], render_kw={"autocomplete": "new-password"}
    )
