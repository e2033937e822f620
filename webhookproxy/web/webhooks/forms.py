"""The form of a webhook."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from itertools import groupby
from typing import Any

from wtforms import (
    BooleanField,
    HiddenField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)

from webhookproxy.events.catalog import CATALOG, USUAL, CatalogEvent, is_event_name
from webhookproxy.events.formats.definition import LABELS, Encoding, Format, FormatKind
from webhookproxy.events.formats.stored import read_format
from webhookproxy.models import Webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.formats import chosen_format
from webhookproxy.rules.headers import read_headers
from webhookproxy.rules.success import ANY, CHOICES, chosen_rule, read_success_rule
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.shared.formats import exact
from webhookproxy.web.shared.forms import NOT_TO_BE_FILLED, StoredForm, choices
from webhookproxy.web.webhooks.header_rows import HeaderRows

_OFF = {"autocomplete": "off", "spellcheck": "false"}
STATES: dict[str, str] = {
    WebhookState.ACTIVE: "Ativo: envia",
    WebhookState.PAUSED: "Pausado: guarda e não envia",
    WebhookState.SIMULATED: "Simulado: faz tudo menos o POST",
}
# The fields of a body that is put together are not chosen in this form.
_FORMATS: dict[str, str] = {
    kind.value: f"{label[0].upper()}{label[1:]}"
    for kind, label in LABELS.items()
    if kind is not FormatKind.MAPPED
}
ENCODINGS: dict[str, str] = {
    Encoding.JSON: "JSON",
    Encoding.FORM: "Formulário (application/x-www-form-urlencoded)",
}
_WHICH = {"todos": "Todos, também os futuros", "escolhidos": "Só os escolhidos abaixo"}
# What stands in place of a number that cannot be read.
_NUMBERS: dict[str, float | None] = {
    "parallelism": 8,
    "timeout": 15.0,
    "rate_limit": None,
    "max_age": 72.0,
}
_TWO_SECRETS = "Você digitou um segredo e pediu para gerar outro: apague um ou desmarque o outro."
_FIRST = "Os que quase todo CRM pede"
# A thousand as Brazil writes it: 1.000, but neither 0.125 nor 10.5.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+")


class WebhookForm(StoredForm):
    """A webhook to create or to edit; its authorization and its secret are never shown again."""

    COMPARED = (
        "name", "url", "which", "events", "more_events", "state", "format", "encoding", "headers",
        "success", "success_path", "success_text", *_NUMBERS,
    )  # fmt: skip
    CONFLICT = (
        "Outra pessoa salvou este webhook enquanto você editava. O que ela salvou está ao lado de "
        "cada campo que mudou; salve de novo para ficar com o que você digitou."
    )

    version = HiddenField(default="0")
    name = StringField("Nome", description="Como você quer ver este webhook nesta tela.")
    url = StringField(
        "URL",
        description="Para onde vai o POST de cada evento.",
        render_kw={"type": "url", "inputmode": "url", **_OFF},
    )
    which = SelectField(
        "Quais eventos",
        choices=choices(_WHICH),
        default="escolhidos",
    )
    events = SelectMultipleField("Eventos", validate_choice=False, choices=[])
    more_events = TextAreaField(
        "Outros eventos (opcional)",
        description="Nomes que não estão na lista, um por linha: qualquer um serve.",
        render_kw={"rows": 2, **_OFF},
    )
    format = SelectField(
        "Formato do corpo",
        choices=choices(_FORMATS),
        default=FormatKind.STANDARD.value,
        validate_choice=False,
        description="O que a sua URL espera receber. O padrão traz o evento, o payload e os ids.",
    )
    encoding = SelectField(
        "Escrito como",
        choices=choices(ENCODINGS),
        default=Encoding.JSON.value,
        validate_choice=False,
        description="Formulário é o que PHP lê em $_POST e o Bitrix24 nos métodos REST.",
    )
    headers = HeaderRows(
        "Headers próprios (opcional)",
        description="Até dez, como a chave que o sistema pede. Os valores ficam cifrados.",
    )
    authorization = PasswordField(
        "Autenticação, Authorization (opcional)",
        description="“Bearer abc” vai como está; só “abc” vira “Bearer abc”.",
        render_kw=NOT_TO_BE_FILLED,
    )
    remove_authorization = BooleanField("Remover a autenticação salva")
    secret = PasswordField(
        "Segredo da assinatura, HMAC (opcional)",
        description="Com ele cada POST leva X-Signature-SHA256, que prova que é nosso. "
        "Um segredo whsec_ de uma biblioteca Standard Webhooks vale como foi digitado.",
        render_kw=NOT_TO_BE_FILLED,
    )
    generate_secret = BooleanField("Gerar um segredo novo e mostrá-lo uma vez")
    remove_secret = BooleanField("Remover o segredo salvo")
    success = SelectField(
        "O que conta como sucesso",
        choices=choices(CHOICES),
        default=ANY,
        validate_choice=False,
        description="Alguns sistemas respondem 200 também quando recusam, com o erro no corpo. "
        "Com a regra errada, a URL recebe o mesmo evento de novo: confira-a com “Enviar teste”.",
    )
    success_path = StringField(
        "Campo da resposta",
        description="Do JSON dela, como ok, result.id ou errors[0].",
        render_kw={**_OFF, "autocapitalize": "off"},
    )
    success_text = StringField(
        "Valor ou texto",
        description="Lemos até 16 KB da resposta. Maiúsculas e minúsculas valem igual no texto.",
        render_kw=_OFF,
    )
    takes_recovered = BooleanField("Enviar também as ligações recuperadas", default=True)
    parallelism = StringField(
        "Paralelismo",
        default="8",
        description="Entregas ao mesmo tempo, de 1 a 64. 1 é ordem estrita. Os eventos de uma "
        "mesma chamada sempre vão em ordem.",
        render_kw={"inputmode": "numeric"},
    )
    timeout = StringField(
        "Tempo limite, em segundos",
        default="15",
        description="Quanto esperamos pela resposta inteira, de 1 a 60.",
        render_kw={"inputmode": "decimal"},
    )
    rate_limit = StringField(
        "Limite de envios por segundo (opcional)",
        description="De 0,1 a 1.000; vazio é sem limite. O Bitrix24, por exemplo, aceita 2.",
        render_kw={"inputmode": "decimal"},
    )
    max_age = StringField(
        "Idade máxima, em horas",
        default="72",
        description="Por quanto tempo tentamos entregar um evento, de 1 a 168.",
        render_kw={"inputmode": "decimal"},
    )
    state = SelectField("Situação", choices=choices(STATES))

    # The format that the webhook has now: what the form does not show of it stays.
    stored_format = Format()
    # The secret that was made for this form, if one was asked for.
    generated: str | None = None

    def fill(self, webhook: Webhook) -> None:
        """Show what is stored, but for the secrets."""
        self.version.data = str(webhook.version)
        self.name.data, self.url.data, self.state.data = webhook.name, webhook.url, webhook.state
        kept = read_format(webhook.format)
        self.format.data, self.encoding.data = kept.kind.value, kept.encoding.value
        self.headers.show(name for name, _ in read_headers(webhook.headers))
        if (rule := read_success_rule(webhook.success_rule)) is not None:
            self.success.data = rule.operator.value
            self.success_path.data, self.success_text.data = rule.path, rule.value
        chosen = webhook.events or []
        self.takes_recovered.data = webhook.takes_recovered
        self.which.data = "todos" if webhook.events is None else "escolhidos"
        self.events.data = [name for name in chosen if name in CATALOG]
        self.more_events.data = "\n".join(name for name in chosen if name not in CATALOG)
        for name in _NUMBERS:
            value = getattr(webhook, name)
            self[name].data = "" if value is None else exact(value)

    def fill_copy(self, webhook: Webhook) -> None:
        """Show what is stored in a webhook, to create another one like it."""
        self.fill(webhook)
        self.version.data, self.name.data = "0", f"{webhook.name} (cópia)"

    def keep_format(self, stored: Format) -> None:
        """Keep what the form does not show of a format; its fields are put together elsewhere."""
        self.stored_format = stored
        if stored.kind is FormatKind.MAPPED:
            self.format.choices = choices(
                _FORMATS | {stored.kind: LABELS[stored.kind].capitalize()}
            )

    def add_event(self, name: str) -> bool:
        """Tick an event that is not asked for yet; return whether it was ticked now."""
        ticked = self.events.data or []
        if self.which.data == "todos" or name in ticked or not is_event_name(name):
            return False
        if name in CATALOG:
            self.events.data = [*ticked, name]
            return True
        others = str(self.more_events.data or "").splitlines()
        self.more_events.data = "\n".join(dict.fromkeys([*others, name]))
        return name not in others

    def typed(self) -> dict[str, Any]:
        """Return the fields to store; a blank secret is not among them. See StoredForm."""
        if self.generate_secret.data and self.secret.data and self.secret.data != self.generated:
            self.unread.add("generate_secret", "", _TWO_SECRETS)
        return {
            "name": str(self.name.data or ""),
            "url": str(self.url.data or "").strip(),
            "events": self._chosen(),
            "state": WebhookState(self.state.data),
            "format": self._format(),
            "headers": self.headers.headers,
            "success_rule": chosen_rule(
                str(self.success.data),
                str(self.success_path.data or ""),
                str(self.success_text.data or ""),
                self.unread,
            ),
            "takes_recovered": bool(self.takes_recovered.data),
            **self._numbers(),
            **self._secret("authorization"),
            **self._secret("secret"),
        }

    def generate(self) -> None:
        """Put a new secret into `secret`, if one is asked for and none was typed."""
        if self.generate_secret.data and not self.secret.data:
            self.secret.data = self.generated = secrets.token_urlsafe(32)

    def _format(self) -> Format:
        try:
            chosen = chosen_format(str(self.format.data), str(self.encoding.data))
        except Refused as refused:
            self.unread.take(refused)
            return self.stored_format
        return replace(self.stored_format, kind=chosen.kind, encoding=chosen.encoding)

    def _chosen(self) -> tuple[str, ...] | None:
        if self.which.data == "todos":
            return None
        typed = (line.strip() for line in str(self.more_events.data or "").splitlines())
        return (*(self.events.data or ()), *filter(None, typed))

    def _secret(self, name: str) -> dict[str, str | None]:
        if self[f"remove_{name}"].data and not self[name].data:
            return {name: None}
        typed = str(self[name].data or "").strip()
        return {name: typed} if typed else {}

    def _numbers(self) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for name, instead in _NUMBERS.items():
            text = _plain(str(self[name].data or ""))
            whole = name == "parallelism"
            example = " um número inteiro, como 8" if whole else ", por exemplo, 2 ou 0,5"
            try:
                found[name] = int(text) if whole else float(text or "nothing")
            except ValueError:
                found[name] = instead
                if text or name != "rate_limit":
                    self.unread.add(name, "", f"Isto não é um número: escreva{example}.")
        return found


def _plain(text: str) -> str:
    """Return a number typed as in Brazil as Python reads it: "1.000,5" as 1000.5."""
    text = text.strip()
    if "," in text or _THOUSANDS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text


def events_by_category() -> list[tuple[str, list[CatalogEvent]]]:
    """Return the catalogue as the form offers it: first what most receivers need."""
    usual = [CATALOG[name] for name in USUAL]
    rows = sorted(
        (event for event in CATALOG.values() if event.name not in USUAL),
        key=lambda event: event.category,
    )
    by_category = groupby(rows, lambda event: event.category)
    return [(_FIRST, usual), *((category, list(found)) for category, found in by_category)]
