"""The fields of the *resumo da ligação*, in the order in which they are sent.

What a field has in common with the lists of calls stands in the table of paths of call_facts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from webhookproxy.events.call_facts import (
    PATHS,
    Fact,
    usable_id,
    usable_seconds,
    usable_text,
)
from webhookproxy.events.code_words import meaning
from webhookproxy.events.formats.moments import iso, read_moment

# It grows when a field changes its meaning or goes away, and not when one is added.
VERSION = 1


def _text(_path: str, value: Any) -> str | None:
    return usable_text(value) or None


def _id(_path: str, value: Any) -> str | None:
    return usable_id(value) or None


def _words(path: str, value: Any) -> str | None:
    return meaning(path, value) or usable_text(value) or None


def _seconds(_path: str, value: Any) -> int | None:
    return usable_seconds(value)


def _when(_path: str, value: Any) -> str | None:
    moment = read_moment(usable_text(value))
    return iso(moment) if isinstance(moment, datetime) else None


def _flag(_path: str, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "0": False, "false": False}.get(usable_text(value).lower())


class Field(NamedTuple):
    """A field that is read at paths: of those, the first that leads to a usable value counts.

    `words` says in Portuguese what it holds, as in docs/uso/formatos.md.
    """

    name: str
    words: str
    read: Callable[[str, Any], Any]
    paths: tuple[str, ...]


# What is not read at a path, but computed.
COMPUTED: dict[str, str] = {
    "versao": "versão deste resumo",
    "evento": "nome do evento",
    "evento_id": "o mesmo de `meta.event_id` no formato padrão: igual em cada tentativa",
    "recebido_em": "quando o evento chegou aqui",
    "empresa_id": "empresa desta instalação, como `company_12`",
    "telefone": "telefone em E.164, como `+5541900000001`",
    "telefone_nacional": "como se escreve no Brasil: `(41) 90000-0001`",
    "telefone_com_nono": "E.164 de um celular brasileiro com o nono dígito",
    "telefone_sem_nono": "o mesmo celular sem o nono dígito, para procurar em cadastros antigos",
    "direcao": "`saida` ou `entrada`; vazio se o modo não diz",
    "duracao_s": "segundos de conversa; se ninguém atendeu, segundos chamando",
    "mailing": "as colunas da lista, com o nome de cada uma, em um grupo",
}
OUTCOME = ("callHistory.status", "callHistory.status_id", "call.status")
_BEHAVIOUR = ("callHistory.qualification.behavior", "callHistory.behavior")

READ: tuple[Field, ...] = (
    Field(
        "ligacao_id",
        "identidade da ligação, igual em todos os eventos dela",
        _text,
        ("call.telephony_id", "callHistory.telephony_id"),
    ),
    Field("historico_id", "identidade do histórico", _text, ("callHistory._id", "callHistory.id")),
    Field("sid", "identidade da ligação na telefonia", _text, ("call.sid", "callHistory.sid")),
    Field("telefone_original", "telefone como veio", _text, PATHS[Fact.TELEPHONE]),
    Field(
        "modo",
        "`discador`, `manual`, `receptivo`, `URA`",
        _words,
        PATHS[Fact.MODE],
    ),
    Field("agente_id", "número do agente", _id, PATHS[Fact.AGENT_ID]),
    Field("agente_nome", "nome do agente", _text, PATHS[Fact.AGENT]),
    Field(
        "agente_email",
        "e-mail do agente",
        _text,
        ("agent.email", "callHistory.agent.email", "user.email"),
    ),
    Field("campanha_id", "número da campanha", _id, PATHS[Fact.CAMPAIGN_ID]),
    Field("campanha_nome", "nome da campanha", _text, PATHS[Fact.CAMPAIGN]),
    Field("fila", "nome da fila", _text, PATHS[Fact.QUEUE]),
    Field(
        "lista_id",
        "número da lista",
        _id,
        ("call.list_id", "callHistory.list.id", "callHistory.list_id", "mailing.list_id"),
    ),
    Field("lista_nome", "nome da lista", _text, ("callHistory.list.name",)),
    Field(
        "qualificacao_id",
        "número da qualificação (tabulação)",
        _id,
        ("callHistory.qualification.id", "callHistory.qualification_id"),
    ),
    Field("qualificacao_nome", "nome da qualificação", _text, PATHS[Fact.QUALIFICATION]),
    Field(
        "qualificacao_comportamento",
        "o que a qualificação manda fazer, como `repetir`",
        _words,
        _BEHAVIOUR,
    ),
    Field("resultado", "estado da ligação em palavras, como `finalizada`", _words, OUTCOME),
    Field("resultado_codigo", "o mesmo, como código da 3C Plus", _text, OUTCOME),
    Field("desligamento", "causa do desligamento em palavras", _words, PATHS[Fact.HANGUP]),
    Field("desligamento_codigo", "a mesma causa, como código", _text, PATHS[Fact.HANGUP]),
    Field(
        "discada_em",
        "quando a ligação começou",
        _when,
        ("call.dialed_time", "callHistory.call_date_rfc3339", "callHistory.call_date"),
    ),
    Field("atendida_em", "quando o cliente atendeu", _when, ("call.answered_time",)),
    Field("conectada_em", "quando o agente entrou", _when, ("call.connected_time",)),
    Field("encerrada_em", "quando a ligação foi desligada", _when, ("call.hangup_time",)),
    Field("chamando_s", "segundos chamando", _seconds, ("callHistory.calling_time",)),
    Field("espera_s", "segundos de espera", _seconds, ("callHistory.waiting_time",)),
    Field("conversa_s", "segundos de conversa", _seconds, ("callHistory.speaking_time",)),
    Field(
        "conversa_agente_s",
        "segundos de conversa com o agente",
        _seconds,
        ("callHistory.speaking_with_agent_time",),
    ),
    Field("tpa_s", "segundos de TPA (pós-atendimento)", _seconds, ("callHistory.acw_time",)),
    Field(
        "ura_s",
        "segundos na URA",
        _seconds,
        ("callHistory.ivr_time", "callHistory.ura_time"),
    ),
    Field("gravada", "se a ligação foi gravada", _flag, ("callHistory.recorded",)),
    Field(
        "identificador",
        "identificador da lista, onde muitos põem o número do CRM",
        _text,
        ("call.identifier", "callHistory.mailing_data.identifier", "mailing.identifier"),
    ),
)

# Comes last, and only if the company wants links to recordings.
RECORDING_URL = "recording_url"
# The order in which the fields are sent.
ORDER: tuple[str, ...] = (
    *("versao", "evento", "evento_id", "recebido_em", "empresa_id"),
    *("ligacao_id", "historico_id", "sid"),
    *("telefone", "telefone_nacional", "telefone_com_nono", "telefone_sem_nono"),
    *("telefone_original", "direcao", "modo", "agente_id", "agente_nome", "agente_email"),
    *("campanha_id", "campanha_nome", "fila", "lista_id", "lista_nome"),
    *("qualificacao_id", "qualificacao_nome", "qualificacao_comportamento"),
    *("resultado", "resultado_codigo", "desligamento", "desligamento_codigo"),
    *("discada_em", "atendida_em", "conectada_em", "encerrada_em", "duracao_s", "chamando_s"),
    *("espera_s", "conversa_s", "conversa_agente_s", "tpa_s", "ura_s", "gravada"),
    *("identificador", "mailing"),
)
WORDS: dict[str, str] = {
    name: (COMPUTED | {field.name: field.words for field in READ})[name] for name in ORDER
}
