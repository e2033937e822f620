"""The form of a user."""

from __future__ import annotations

from wtforms import BooleanField, EmailField, PasswordField, SelectField, SelectMultipleField

from webhookproxy.models import Company
from webhookproxy.web.shared.forms import CreatingForm, choices

ROLES = {
    "operador": "Operador: as empresas marcadas",
    "administrador": "Administrador: tudo",
}


class UserForm(CreatingForm):
    """A user to create or to edit; the password is never shown again."""

    email = EmailField("E-mail", description="Com ele a pessoa entra.")
    role = SelectField("Papel", choices=choices(ROLES))
    companies = SelectMultipleField(
        "Empresas que opera", coerce=int, validate_choice=False, choices=[]
    )
    password = PasswordField(
        "Senha",
        description="Pelo menos 10 caracteres. Passe-a por um meio seguro; a pessoa pode trocá-la.",
        render_kw={"autocomplete": "new-password"},
    )
    generate_password = BooleanField("Gerar uma senha e mostrá-la uma vez")

    # The companies there are, by number, with their names.
    offered: list[tuple[int, str]]

    def offer(self, companies: list[Company]) -> None:
        """Fill the list of companies."""
        self.offered = [(company.id, company.name) for company in companies]

    @property
    def is_admin(self) -> bool:
        """Whether an administrator is asked for."""
        return bool(self.role.data == "administrador")

    def granted(self) -> set[int]:
        """The companies that are marked, of those that are offered."""
        return {number for number, _ in self.offered} & set(self.companies.data or ())
