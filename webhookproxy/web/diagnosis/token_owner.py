"""Whose the token is, as 3C Plus says it: what that means for the events that arrive."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.models import Company
from webhookproxy.platform.token_owner import TokenOwner
from webhookproxy.reasons import PLATFORM_WORDS, PlatformTrouble
from webhookproxy.web.diagnosis.findings import Mark, Step

OWNER = "Dono do token"
REST_OWNER = "Dono do segundo token, só para o REST"
# With the token of one of these not everything comes.
ONLY: Mapping[str, str] = MappingProxyType(
    {
        "agente": "Só virão os eventos deste agente.",
        "supervisor": "Só virão os eventos das equipes dele.",
    }
)
_FOR_ALL = "Com o token de um gestor chegam os eventos da organização inteira."
_MANAGER = "No segundo token da empresa, cole o de um gestor: só ele lista todas as ligações."
_OTHER = "No segundo token da empresa, cole outro: com este nenhuma ligação é recuperada."

Answer = TokenOwner | PlatformTrouble


def owner_steps(company: Company, answers: Mapping[str, Answer]) -> list[Step]:
    """Return what 3C Plus said of each token that it was asked about."""
    return [_step(company, name, answers[name]) for name in (OWNER, REST_OWNER) if name in answers]


def _step(company: Company, name: str, answer: Answer) -> Step:
    if isinstance(answer, PlatformTrouble):
        words = PLATFORM_WORDS[answer]
        if name == REST_OWNER and answer is PlatformTrouble.UNAUTHORIZED:
            return Step(Mark.ODD, name, words.what, _OTHER)
        return Step(Mark.NOTE, name, f"Não sabemos de quem é o token. {words.what}")
    about = _about(answer)
    if name == REST_OWNER and answer.role in ONLY:
        return Step(Mark.ODD, name, f"{about} Com ele não vêm as ligações de todos.", _MANAGER)
    if only := ONLY.get(answer.role):
        mark = Mark.ODD if answer.role == "agente" else Mark.NOTE
        return Step(mark, name, f"{about} {only}", _FOR_ALL)
    if is_of_another(company, answer.company_id):
        return Step(
            Mark.ODD,
            name,
            f"{about} O ID 3C Plus cadastrado aqui é {company.threec_id}, de outra organização.",
            "Confira se o token é mesmo desta empresa.",
        )
    return Step(Mark.GOOD, name, about)


def is_of_another(company: Company, organisation: str) -> bool:
    """Return whether a token's organisation is known not to be the company's; "" is unknown."""
    return company.threec_id.isdigit() and organisation not in ("", company.threec_id)


def _about(owner: TokenOwner) -> str:
    parts = [part for part in (owner.name, owner.role) if part]
    known = ", ".join(parts) or "alguém que a 3C Plus não nomeia"
    organisation = " ".join(part for part in (owner.company, _id(owner)) if part)
    return f"O token é de {known}{f', da organização {organisation}' if organisation else ''}."


def _id(owner: TokenOwner) -> str:
    return f"(ID {owner.company_id})" if owner.company_id else ""
