"""The forms of a login, of the first administrator, of one's own password and second factor."""

from __future__ import annotations

from collections.abc import Callable

from flask import current_app
from wtforms import EmailField, Field, PasswordField, StringField, ValidationError
from wtforms.validators import InputRequired

from webhookproxy.database.clock import utc_now
from webhookproxy.models.accounts.one_time_codes import is_first_code
from webhookproxy.rules import Refused
from webhookproxy.rules.people import check_email, check_password
from webhookproxy.web.shared.forms import Form

_REQUIRED = InputRequired("Preencha este campo.")
_DIGITS = {
    "autocomplete": "one-time-code",
    "inputmode": "numeric",
    "placeholder": "000 000",
    "spellcheck": "false",
}
# One sentence for a code that is wrong, used or another user's: it must teach an attacker nothing.
WRONG_CODE = (
    "O código não confere, ou já foi usado. Digite o próximo que o aplicativo mostrar, ou um "
    "código de recuperação que não usou ainda."
)

WRONG_FIRST_CODE = (
    "Este não é o código do console do servidor, ou já passou mais de uma hora. Para um novo, rode "
    "flask user first-code na pasta do programa, ou reinicie o servidor."
)


def _email() -> EmailField:
    return EmailField("E-mail", [_REQUIRED], render_kw={"autocomplete": "username"})


def _current(label: str) -> PasswordField:
    return PasswordField(label, [_REQUIRED], render_kw={"autocomplete": "current-password"})


def _new(label: str, description: str = "") -> PasswordField:
    typed = {"autocomplete": "new-password"}
    return PasswordField(label, [_REQUIRED], description=description, render_kw=typed)


class CodeField(StringField):
    """A code, which can be read while it is typed, and is never sent back to the page."""

    def _value(self) -> str:
        return ""


class NewPassword(Form):
    """A form in which a password is typed twice."""

    def validate_password(self, field: PasswordField) -> None:
        """Refuse a password that is too short or too long."""
        _check(check_password, field)

    def validate_repeated(self, field: PasswordField) -> None:
        """Refuse a password that is not the first one."""
        if field.data != self["password"].data:
            raise ValidationError("As duas senhas são diferentes: digite-as de novo.")


def _check(rule: Callable[[str], object], field: Field) -> None:
    """Raise ValidationError with the sentences of a rule that refuses what was typed."""
    try:
        rule(str(field.data))
    except Refused as refused:
        raise ValidationError(" ".join(each.portuguese for each in refused.problems)) from None


class LoginForm(Form):
    """An e-mail and its password."""

    FAILED = "Não foi possível entrar."

    email = _email()
    password = _current("Senha")


class FirstForm(NewPassword):
    """The first administrator of an empty installation."""

    code = StringField(
        "Código do console",
        [_REQUIRED],
        description="Está no console do servidor, no endereço depois de “Primeiro acesso”: abra "
        "esse endereço e o código já vem preenchido. Vale por uma hora.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    email = _email()
    password = _new("Senha", "Pelo menos 10 caracteres. Uma frase longa é melhor que símbolos.")
    repeated = _new("Repita a senha")

    def validate_code(self, field: StringField) -> None:
        """Refuse a code that is not the console's. Count the tries before this is called."""
        key = str(current_app.config["SECRET_KEY"])
        if not is_first_code(key, str(field.data), utc_now()):
            raise ValidationError(WRONG_FIRST_CODE)

    def validate_email(self, field: EmailField) -> None:
        """Refuse what is no e-mail address."""
        _check(check_email, field)


class PasswordForm(NewPassword):
    """One's own new password."""

    current = _current("Senha atual")
    password = _new("Senha nova", "Pelo menos 10 caracteres.")
    repeated = _new("Repita a senha nova")


class ForgottenForm(NewPassword):
    """A new password, of a user who forgot the old one."""

    password = _new(
        "Senha nova", "Pelo menos 10 caracteres. Uma frase longa é melhor que símbolos."
    )
    repeated = _new("Repita a senha nova")


class BeginForm(Form):
    """One's own password, to turn the second factor on."""

    current = _current("Senha")


class ConfirmForm(Form):
    """The first code of an app that has just been given the key."""

    code = CodeField("Código que o aplicativo mostra", [_REQUIRED], render_kw=_DIGITS)


class CodeForm(Form):
    """A code of the app, or a recovery code."""

    code = CodeField("Código do aplicativo", render_kw=_DIGITS)
    recovery = CodeField(
        "Código de recuperação",
        description="Um dos dez que você guardou ao ligar o segundo fator. Cada um vale uma vez.",
        render_kw={
            "autocomplete": "off",
            "autocapitalize": "none",
            "placeholder": "xxxx-xxxx-xxxx-xxxx",
            "spellcheck": "false",
        },
    )

    def typed(self) -> dict[str, str]:
        """Return what was typed, as `prove` takes it."""
        return {
            "code": str(self.code.data or "").strip(),
            "recovery": str(self.recovery.data or "").strip(),
        }


class ProofForm(CodeForm):
    """The password and a code, to turn the second factor off or to get new recovery codes."""

    current = _current("Senha")
