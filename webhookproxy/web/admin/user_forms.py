"""The form of a user."""

from __future__ import annotations

import secrets
from typing import Any

from wtforms import BooleanField, EmailField, PasswordField, SelectField, SelectMultipleField

from webhookproxy.models import Company, User
from webhookproxy.rules import Refused
from webhookproxy.web.login import passwords
from webhookproxy.web.shared.forms import StoredForm, choices

ROLES = {
    "operador": "Operador: as empresas marcadas",
    "leitor": "Leitor: só vê as empresas marcadas, com os dados pessoais escondidos",
    "administrador": "Administrador: tudo",
}


def role_of(user: User) -> str:
    """Return the word of the form for a user's role."""
    if user.is_admin:
        return "administrador"
    return "leitor" if user.is_reader else "operador"


class UserForm(StoredForm):
    """A user to create or to edit; the password is never shown again."""

    email = EmailField("E-mail", description="Com ele a pessoa entra.")
    role = SelectField("Papel", choices=choices(ROLES))
    companies = SelectMultipleField(
        "Empresas que vê", coerce=int, validate_choice=False, choices=[]
    )
    password = PasswordField(
        "Senha",
        description="Pelo menos 10 caracteres. Passe-a por um meio seguro; a pessoa escolhe outra "
        "ao entrar.",
        render_kw={"autocomplete": "new-password"},
    )
    generate_password = BooleanField("Gerar uma senha e mostrá-la uma vez")

    # The companies to choose from: number and name.
    offered: list[tuple[int, str]]
    # Whether a blank password keeps the stored one.
    is_edit = False
    # The password that was generated for this form, if it asks for one.
    generated: str | None = None

    def offer(self, companies: list[Company]) -> None:
        """Fill the list of companies."""
        self.offered = [(company.id, company.name) for company in companies]

    def fill(self, user: User, companies: list[Company]) -> None:
        """Show what is stored, but for the password."""
        self.email.data = user.email
        self.role.data = role_of(user)
        self.companies.data = [company.id for company in companies]

    def typed(self) -> dict[str, Any]:
        """Return the fields to store. See StoredForm.

        `password_hash` is None if the stored password stays.
        """
        password = str(self.password.data or "")
        if self.generate_password.data and not password:
            password = self.generated = secrets.token_urlsafe(12)
        keeps = self.is_edit and not password
        return {
            "email": str(self.email.data),
            "admin": self.role.data == "administrador",
            "reader": self.role.data == "leitor",
            "companies": {number for number, _ in self.offered} & set(self.companies.data or ()),
            "password_hash": None if keeps else self._hashed(password),
        }

    def _hashed(self, password: str) -> str:
        try:
            return passwords.hashed(password)
        except Refused as refused:
            self.unread.take(refused)
            return ""
