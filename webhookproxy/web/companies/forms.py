"""The form of a company."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, StringField

# The published types are of WTForms 3.2, which did not have it yet.
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]

from webhookproxy.models import Company
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import (
    BRAZILIAN_ZONES,
    DEFAULT_RECORDING_DAYS,
    DEFAULT_TIMEZONE,
    check_retention,
    read_expiry,
    timezones,
)
from webhookproxy.web.shared.formats import zone
from webhookproxy.web.shared.forms import NOT_TO_BE_FILLED, Form, StoredForm, choices

# The hosts that 3C Plus is known to have, the likeliest first.
KNOWN_HOSTS = (
    "https://socket.3c.plus",
    "https://new-socket.3cplus.com.br",
    "https://new-socket.3c.plus",
)
OTHER_HOST = "outro"


def _timezones() -> list[SelectChoice]:
    """Return all timezones, those of Brazil first, because nearly every company is there."""
    others = sorted(timezones() - set(BRAZILIAN_ZONES))
    return [
        *(SelectChoice(name, zone(name), optgroup="Brasil") for name in BRAZILIAN_ZONES),
        *(SelectChoice(name, zone(name), optgroup="Outros") for name in others),
    ]


def _day(instant: datetime | None) -> str:
    """Return the day of an instant as the form takes it."""
    return "" if instant is None else f"{instant.astimezone(ZoneInfo(DEFAULT_TIMEZONE)):%d/%m/%Y}"


class CompanyForm(StoredForm):
    """A company to create or to edit; its token is never shown again."""

    COMPARED = (
        "name",
        "threec_id",
        "agent_id",
        "host",
        "timezone",
        "retention_days",
        "token_expires",
        "rest_url",
        "recording_days",
    )
    CONFLICT = (
        "Outra pessoa salvou esta empresa enquanto você editava. O que ela salvou está ao lado de "
        "cada campo que mudou; salve de novo para ficar com o que você digitou."
    )

    version = HiddenField(default="0")
    name = StringField("Nome", description="Como você quer ver a empresa nesta tela.")
    threec_id = StringField(
        "ID 3C Plus (opcional)", description="O número da empresa na 3C Plus, para você achá-la."
    )
    token = PasswordField(
        "Token de API",
        description="Cole o token de um gestor: o de um agente só recebe os eventos dele.",
        render_kw=NOT_TO_BE_FILLED,
    )
    token_expires = StringField(
        "Vencimento do token (opcional)",
        description="Se o token tem prazo, o dia em que vence, como 31/12/2026: quem recebe avisos "
        "é avisado 7 dias antes.",
    )
    agent_id = StringField(
        "ID do agente (opcional)",
        description="Só para o token de um agente; deixe vazio com o de um gestor.",
    )
    host = SelectField(
        "Servidor do socket", description="Use o primeiro, a menos que a 3C Plus indique outro."
    )
    other_host = StringField(
        "Outro servidor", description="Só se escolher “outro” acima, como https://socket.exemplo."
    )
    recover_calls = BooleanField("Recuperar as ligações das lacunas", default=True)
    rest_token = PasswordField(
        "Segundo token, só para o REST (opcional)",
        description="Se o token acima é o de um agente: o de um gestor lista as ligações, e não "
        "abre conexão.",
        render_kw=NOT_TO_BE_FILLED,
    )
    remove_rest_token = BooleanField("Remover o segundo token salvo")
    sweep_calls = BooleanField("Procurar também a cada 30 minutos (varredura)")
    rest_url = StringField(
        "Endereço REST da 3C Plus (opcional)",
        description="Onde perguntamos pelas ligações; vazio é https://app.3c.plus. Só se a sua "
        "empresa tem um domínio próprio, como https://suaempresa.3c.plus.",
    )
    recording_links = BooleanField("Mandar o link da gravação de cada ligação")
    recording_days = StringField(
        "Dias que o link vale",
        default=str(DEFAULT_RECORDING_DAYS),
        render_kw={"inputmode": "numeric"},
    )
    observe_second = BooleanField("Observar uma segunda conexão", default=False)
    timezone = SelectField("Fuso horário", description="Para as horas mostradas nas páginas.")
    retention_days = StringField(
        "Dias de guarda (opcional)",
        description="Por quantos dias guardamos os eventos desta empresa; vazio é o do servidor.",
        render_kw={"inputmode": "numeric"},
    )
    hide_credentials = BooleanField("Ocultar credenciais que vêm dentro dos eventos", default=True)

    def offer(self, company: Company | None = None) -> None:
        """Fill the choices; the host of the company that is edited is one of them."""
        hosts = list(dict.fromkeys((current_app.config["SOCKET_URL"], *KNOWN_HOSTS)))
        if company is not None and company.socket_url not in hosts:
            hosts.append(company.socket_url)
        self.host.choices = choices({**{host: host for host in hosts}, OTHER_HOST: "outro…"})
        self.timezone.choices = _timezones()

    def fill(self, company: Company) -> None:
        """Show what is stored, but for the token."""
        self.version.data = str(company.version)
        self.name.data = company.name
        self.threec_id.data = company.threec_id
        self.agent_id.data = company.agent_id
        self.host.data = company.socket_url
        self.timezone.data = company.timezone
        self.token_expires.data = _day(company.token_expires_at)
        self.retention_days.data = str(company.retention_days or "")
        self.hide_credentials.data = company.hide_credentials
        self.recover_calls.data = company.recover_calls
        self.sweep_calls.data = company.sweep_calls
        self.rest_url.data = company.rest_url
        self.recording_links.data = company.recording_links
        self.recording_days.data = str(company.recording_days)
        self.observe_second.data = company.observe_second

    def typed(self) -> dict[str, Any]:
        """Return the fields to store; a blank token is not among them. See StoredForm."""
        host = str(self.host.data or "")
        token = str(self.token.data or "").strip()
        return {
            "name": str(self.name.data or ""),
            "socket_url": str(self.other_host.data or "") if host == OTHER_HOST else host,
            "threec_id": str(self.threec_id.data or ""),
            "agent_id": str(self.agent_id.data or ""),
            "timezone": str(self.timezone.data or ""),
            "hide_credentials": bool(self.hide_credentials.data),
            "recover_calls": bool(self.recover_calls.data),
            "sweep_calls": bool(self.sweep_calls.data),
            "rest_url": str(self.rest_url.data or ""),
            "recording_links": bool(self.recording_links.data),
            "recording_days": self._recording_days(),
            "observe_second": bool(self.observe_second.data),
            "retention_days": self._retention_days(),
            "token_expires_at": self._expiry(),
            **({"token": token} if token else {}),
            **self._rest_token(),
        }

    def _rest_token(self) -> dict[str, str | None]:
        typed = str(self.rest_token.data or "").strip()
        if typed:
            return {"rest_token": typed}
        return {"rest_token": None} if self.remove_rest_token.data else {}

    def _retention_days(self) -> int | None:
        if not str(self.retention_days.data or "").strip():
            return None
        days = self._read_days(self.retention_days)
        if days is not None:
            try:
                check_retention(days, current_app.config["RETENTION_DAYS"])
            except Refused as refused:
                self.unread.take(refused)
        return days

    def _recording_days(self) -> int:
        days = self._read_days(self.recording_days)
        return DEFAULT_RECORDING_DAYS if days is None else days

    def _read_days(self, field: Field) -> int | None:
        """Return the number that was typed; None for anything else, which is noted."""
        text = str(field.data or "").strip()
        if text.isascii() and text.isdigit() and len(text) <= 4:
            return int(text)
        self.unread.add(field.name, "", "Isto não é um número de dias: escreva, como 30.")
        return None

    def _expiry(self) -> datetime | None:
        try:
            return read_expiry(str(self.token_expires.data or ""))
        except Refused as refused:
            self.unread.take(refused)
            return None

    def field_of(self, name: str) -> str:
        """Return the field in which the address of the socket was chosen or typed."""
        if name == "socket_url":
            return "other_host" if self.host.data == OTHER_HOST else "host"
        return name


class DeletionForm(Form):
    """The name of a company, typed again: two clicks must not erase its history."""

    confirmation = StringField(
        "Nome da empresa", render_kw={"autocomplete": "off", "spellcheck": "false"}
    )

    def names(self, company: Company) -> bool:
        """Return whether the company's name was typed; else say so. Capitals do not matter."""
        typed = " ".join(str(self.confirmation.data or "").split()).casefold()
        if typed == " ".join(company.name.split()).casefold():
            return True
        self.take(Refused.one("confirmation", "", f"Digite “{company.name}” para excluí-la."))
        return False
