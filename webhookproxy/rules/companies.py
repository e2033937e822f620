"""The checks of a company."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from webhookproxy.network.guard import Policy, UrlRefused, check_socket_url
from webhookproxy.rules import Problem, Problems, Refused, check_name, keeps_secrets, refuse_secrets
from webhookproxy.rules.platform import check_rest_url, rest_base

# The longest token seen has 60 characters; a future one may be a JWT.
TOKEN_MAX = 4096
DEFAULT_TIMEZONE = "America/Sao_Paulo"
DEFAULT_RECORDING_DAYS, MOST_RECORDING_DAYS = 30, 365
# The timezones of Brazil by the names of their places, the one of most companies first.
BRAZILIAN_ZONES: Mapping[str, str] = MappingProxyType(
    {
        DEFAULT_TIMEZONE: "Brasília (São Paulo)",
        "America/Bahia": "Bahia (Salvador)",
        "America/Fortaleza": "Fortaleza",
        "America/Recife": "Recife",
        "America/Maceio": "Maceió",
        "America/Belem": "Belém",
        "America/Santarem": "Santarém",
        "America/Araguaina": "Araguaína (Tocantins)",
        "America/Campo_Grande": "Campo Grande",
        "America/Cuiaba": "Cuiabá",
        "America/Manaus": "Manaus",
        "America/Porto_Velho": "Porto Velho",
        "America/Boa_Vista": "Boa Vista",
        "America/Rio_Branco": "Rio Branco (Acre)",
        "America/Eirunepe": "Eirunepé (Amazonas)",
        "America/Noronha": "Fernando de Noronha",
    }
)


@dataclass(frozen=True, slots=True)
class CompanyInput:
    """The fields of a company as they were typed."""

    name: str
    token: str
    socket_url: str
    threec_id: str = ""
    agent_id: str = ""
    timezone: str = DEFAULT_TIMEZONE
    hide_credentials: bool = True
    # None or 0: the setting RETENTION_DAYS.
    retention_days: int | None = None
    # When the token ends, as its owner knows: alerts warn before.
    token_expires_at: datetime | None = None
    # Whether the calls of gaps are asked for at the REST of 3C Plus, and where that is (empty: the
    # default, see rules.platform).
    recover_calls: bool = True
    rest_url: str = ""
    # The token that REST is asked with; None: that of the socket.
    rest_token: str | None = None
    # Whether they are also asked for every half an hour, gap or not.
    sweep_calls: bool = False
    # Whether histories carry a link to the call's recording, and for how many days it opens.
    recording_links: bool = False
    recording_days: int = DEFAULT_RECORDING_DAYS
    # Whether a second socket is compared with the first one.
    observe_second: bool = False


def changed_company(stored: CompanyInput, given: Mapping[str, Any], policy: Policy) -> CompanyInput:
    """Return the stored fields, replaced by the given ones.

    A new socket server demands the token again, else Refused is raised, with all other problems:
    without that, a user who may edit a company could send its token to a server of their own.
    """
    changed = replace(stored, **given)
    kept = keeps_secrets(stored.socket_url, changed.socket_url, same_path=False)
    if "token" not in given and not kept:
        elsewhere = Problem(
            "token",
            "The new socket URL leads to another server: give the token (--token) again, because "
            "the one that is set was meant for the old one.",
            "O novo endereço do socket é de outro servidor: informe o token de novo, porque o "
            "guardado era para o servidor antigo.",
        )
        refuse_secrets(elsewhere, "socket_url", lambda: check_company(changed, policy))
    if ("rest_token" if changed.rest_token else "token") not in given:
        _refuse_other_rest(stored, changed, policy)
    is_new = changed.token != stored.token
    if is_new and changed.token_expires_at == stored.token_expires_at:
        # The day of the old token says nothing of the new one.
        return replace(changed, token_expires_at=None)
    return changed


def _refuse_other_rest(stored: CompanyInput, changed: CompanyInput, policy: Policy) -> None:
    """Raise Refused if a stored token would go to another REST server."""
    if changed.rest_token:
        before = rest_base(stored.socket_url, stored.rest_url, policy)
        field, option, which = "rest_token", "--rest-token", "o token do REST"
    else:
        before = first_token_base(stored, policy)
        field, option, which = "token", "--token", "o token"
    after = rest_base(changed.socket_url, changed.rest_url.strip(), policy)
    if not after or keeps_secrets(before, after, same_path=False):
        return
    elsewhere = Problem(
        field,
        f"The REST address is a server that the token was not meant for: give it ({option}) again.",
        f"O endereço REST é de outro servidor: informe {which} de novo, porque o guardado não era "
        "para ele.",
    )
    refuse_secrets(elsewhere, "rest_url", lambda: check_company(changed, policy))


def first_token_base(company: CompanyInput, policy: Policy) -> str:
    """Return where REST may be asked with the token of the socket; empty: nowhere.

    An address of its own was typed for the second token, if there is one.
    """
    rest_url = "" if company.rest_token else company.rest_url
    return rest_base(company.socket_url, rest_url, policy)


def read_expiry(typed: str) -> datetime | None:
    """Return the day on which a token ends, typed as 31/12/2026 or 2026-12-31; None for none.

    It is the day's beginning in Brasília. Raises Refused for anything else.
    """
    text = typed.strip()
    if not text:
        return None
    for pattern in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=ZoneInfo(DEFAULT_TIMEZONE))
        except ValueError:
            continue
    raise Refused.one(
        "token_expires",
        "This is no day: write it like 2026-12-31.",
        "Isto não é uma data: escreva, como 31/12/2026.",
    )


@cache
def timezones() -> set[str]:
    """Return the name of every timezone; finding them on the disk takes 20 ms."""
    return available_timezones()


def check_company(given: CompanyInput, policy: Policy) -> CompanyInput:
    """Return the fields, trimmed and normalised; raise Refused with all their problems."""
    problems = Problems()
    name = check_name(given.name, "da empresa", problems)
    _check_token("token", given.token, problems)
    if given.rest_token is not None:
        _check_token("rest_token", given.rest_token, problems)
    _check_short("threec_id", given.threec_id, "The 3C Plus id", "O ID 3C Plus", problems)
    _check_short("agent_id", given.agent_id, "The agent id", "O ID do agente", problems)
    if given.timezone not in timezones():
        problems.add(
            "timezone",
            "This timezone does not exist: write one such as America/Sao_Paulo.",
            "Este fuso horário não existe: use, por exemplo, America/Sao_Paulo.",
        )
    socket_url = given.socket_url
    try:
        socket_url = check_socket_url(given.socket_url.strip(), policy).url
    except UrlRefused as refused:
        problems.add("socket_url", refused.english, refused.portuguese)
    rest_url = given.rest_url
    try:
        rest_url = check_rest_url(given.rest_url, policy)
    except UrlRefused as refused:
        problems.add("rest_url", refused.english, refused.portuguese)
    if not 1 <= given.recording_days <= MOST_RECORDING_DAYS:
        problems.add(
            "recording_days",
            f"A link to a recording opens for 1 to {MOST_RECORDING_DAYS} days.",
            f"O link de uma gravação vale de 1 a {MOST_RECORDING_DAYS} dias.",
        )
    problems.raise_any()
    return replace(
        given,
        name=name,
        socket_url=socket_url,
        rest_url=rest_url,
        threec_id=given.threec_id.strip(),
        agent_id=given.agent_id.strip(),
        retention_days=given.retention_days or None,
    )


def check_retention(days: int | None, most: int) -> None:
    """Raise Refused if a company's own retention is not from 1 day to `most` (RETENTION_DAYS).

    None and 0 mean the setting itself.
    """
    if days and not 1 <= days <= most:
        raise Refused.one(
            "retention_days",
            f"A company's events are kept for 1 to {most} days (the setting RETENTION_DAYS), or 0 "
            "for as long as the setting says.",
            f"Os eventos de uma empresa são guardados por 1 a {most} dias, ou deixe em branco para "
            "usar o padrão do servidor.",
        )


def _check_token(field: str, token: str, problems: Problems) -> None:
    if not token:
        problems.add(
            field,
            "The token is empty: paste the API token of a manager (gestor) of the company.",
            "Informe o token de API de um gestor da empresa.",
        )
    elif not token.isprintable() or any(character.isspace() for character in token):
        problems.add(
            field,
            "The token has spaces or control characters: paste it again without them.",
            "O token tem espaços ou caracteres de controle: cole-o de novo sem eles.",
        )
    elif len(token) > TOKEN_MAX:
        problems.add(
            field,
            f"The token is longer than {TOKEN_MAX} characters: paste only the token.",
            f"O token passa de {TOKEN_MAX} caracteres: cole somente o token.",
        )


def _check_short(field: str, value: str, english: str, portuguese: str, problems: Problems) -> None:
    if len(value) > 64 or not value.isprintable():
        problems.add(
            field,
            f"{english} is longer than 64 characters or has control characters.",
            f"{portuguese} passa de 64 caracteres ou tem caracteres de controle.",
        )
