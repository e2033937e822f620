"""The forms of the second factor."""

from __future__ import annotations

from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

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


class CodeField(StringField):
    """A code, which can be read while it is typed, and is never sent back to the page."""

    def _value(self) -> str:
        return ""


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


class BeginForm(Form):
    """One's own password."""

    current = PasswordField("Senha", [_REQUIRED], render_kw={"autocomplete": "current-password"})


class ConfirmForm(Form):
    """The first code of an app that has just been given the key."""

    code = CodeField("Código que o aplicativo mostra", [_REQUIRED], render_kw=_DIGITS)


class ProofForm(CodeForm):
    """The password and a code, to turn the second factor off or to get new recovery codes."""

    current = PasswordField("Senha", [_REQUIRED], render_kw={"autocomplete": "current-password"})
