"""The audit in the words of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.alerts.conditions import CONDITIONS
from webhookproxy.models.audit import GUEST, LISTENER, Action, AuditEntry

# By the action: its words, and the drawing beside them.
ACTIONS: Mapping[Action, tuple[str, str]] = MappingProxyType(
    {
        Action.LOGIN: ("Entrou", "user"),
        Action.LOGIN_REFUSED: ("Entrada recusada", "ban"),
        Action.LOGOUT: ("Saiu", "logout"),
        Action.PASSWORD_CHANGED: ("Trocou a senha", "key"),
        Action.PASSWORD_LINK_MADE: ("Criou um link de senha", "key"),
        Action.SECOND_FACTOR_CHANGED: ("Mudou o segundo fator", "shield-lock"),
        Action.USER_CREATED: ("Criou o usuário", "plus"),
        Action.USER_CHANGED: ("Mudou o usuário", "pencil"),
        Action.USER_DELETED: ("Excluiu o usuário", "trash"),
        Action.COMPANY_CREATED: ("Criou a empresa", "plus"),
        Action.COMPANY_CHANGED: ("Mudou a empresa", "pencil"),
        Action.COMPANY_DELETED: ("Excluiu a empresa", "trash"),
        Action.CONNECT: ("Conectou", "plug-connected"),
        Action.DISCONNECT: ("Desconectou", "plug-connected-x"),
        Action.DIAGNOSED: ("Fez o diagnóstico", "stethoscope"),
        Action.NEXT_TOKEN_CHANGED: ("Token novo", "key"),
        Action.CALLS_RECOVERED: ("Recuperou ligações", "history"),
        Action.WEBHOOK_CREATED: ("Criou o webhook", "plus"),
        Action.WEBHOOK_CHANGED: ("Mudou o webhook", "pencil"),
        Action.WEBHOOK_DELETED: ("Excluiu o webhook", "trash"),
        Action.WEBHOOK_PAUSED: ("Pausou o webhook", "player-pause"),
        Action.WEBHOOK_RESUMED: ("Retomou o webhook", "player-play"),
        Action.WEBHOOK_TESTED: ("Enviou um teste", "flask-2"),
        Action.SECRET_SET: ("Definiu ou removeu um segredo", "key"),
        Action.SECRET_ROTATED: ("Trocou o segredo da assinatura", "key"),
        Action.HOST_CHANGED: ("Mudou o servidor de destino", "external-link"),
        Action.PAYLOAD_VIEWED: ("Abriu o conteúdo de um evento", "search"),
        Action.RESEND: ("Reenviou", "send"),
        Action.BULK_RESEND: ("Começou um reenvio", "send"),
        Action.BULK_RESEND_CANCELLED: ("Cancelou um reenvio", "ban"),
        Action.SEND_STORED: ("Enviou o que já tinha chegado", "send"),
        Action.TRY_NOW: ("Pediu nova tentativa", "refresh"),
        Action.CANCEL: ("Cancelou a entrega", "ban"),
        Action.DELETE: ("Excluiu", "trash"),
        Action.EXPORT: ("Exportou", "download"),
        Action.PRIVACY_EXPUNGE: ("Apagou dados de uma pessoa (LGPD)", "shield-lock"),
        Action.GUEST_LINK_MADE: ("Criou um link de convidado", "plus"),
        Action.GUEST_LINK_REVOKED: ("Revogou um link de convidado", "ban"),
        Action.GUEST_LINK_USED: ("Usou um link de convidado", "external-link"),
        Action.RECORDING_HEARD: ("Baixou uma gravação por um link", "download"),
        Action.API_TOKEN_MADE: ("Criou um token de API", "plus"),
        Action.API_TOKEN_REVOKED: ("Revogou um token de API", "ban"),
        Action.ALERT_ADDRESS_ADDED: ("Cadastrou um endereço de avisos", "plus"),
        Action.ALERT_ADDRESS_CONFIRMED: ("Confirmou um endereço de avisos", "check"),
        Action.ALERT_ADDRESS_REMOVED: ("Removeu um endereço de avisos", "trash"),
        Action.ALERTS_CHANGED: ("Mudou o que é avisado", "pencil"),
        Action.KEYS_ROTATED: ("Trocou a chave que cifra os segredos", "key"),
        Action.BACKUP_MADE: ("Fez uma cópia de segurança", "download"),
        Action.SHARE_MOVED: ("Pediu outro dono para uma parte das empresas", "send"),
    }
)

# Programs that act without a user.
PROGRAMS = MappingProxyType(
    {
        "cli": "Linha de comando",
        "server": "O próprio servidor",
        GUEST: "Convidado",
        LISTENER: "Quem tem o link",
    }
)

_FIELDS = MappingProxyType(
    {
        "name": "nome",
        "url": "URL",
        "socket_url": "endereço do socket",
        "threec_id": "ID 3C Plus",
        "agent_id": "ID do agente",
        "timezone": "fuso horário",
        "token_expires_at": "vencimento do token",
        "hide_credentials": "credenciais ocultas",
        "recording_links": "links de gravações",
        "recording_days": "dias dos links de gravações",
        "recordings_revoked": "links de gravações revogados",
        "token": "token",
        "rest_token": "segundo token, só para o REST",
        "rest_url": "endereço REST",
        "recover_calls": "recuperação de ligações",
        "sweep_calls": "varredura",
        "takes_recovered": "ligações recuperadas",
        "authorization": "autenticação",
        "secret": "segredo da assinatura",
        "events": "eventos",
        "state": "situação",
        "parallelism": "paralelismo",
        "timeout": "tempo limite",
        "rate_limit": "limite de envios",
        "max_age": "idade máxima",
        "filters": "filtros",
        "format": "formato do corpo",
        "file_key": "passou a ser gerido pelo arquivo",
        "file_key_released": "deixou de ser gerido pelo arquivo",
        "headers": "headers próprios",
        "success_rule": "o que conta como sucesso",
    }
)
_ABOUT_USERS = frozenset({Action.USER_CREATED, Action.USER_CHANGED, Action.SECOND_FACTOR_CHANGED})
_NAMES_OF_FIELDS = frozenset({Action.COMPANY_CHANGED, Action.WEBHOOK_CHANGED, Action.SECRET_SET})
_OF_USERS = MappingProxyType(
    {
        "administrator": "administrador",
        "operator": "operador",
        "reader": "leitor",
        "granted": "ganhou a empresa",
        "revoked": "perdeu a empresa",
        "on": "ligado",
        "off": "desligado",
        "codes": "códigos de recuperação novos",
        "reset": "desligado, porque a pessoa o perdeu",
    }
)
# The conditions of alerts by their names, and the preferences.
_WATCHED = MappingProxyType(
    {**{each.value: told.label for each, told in CONDITIONS.items()}, "when": "quando avisar"}
)
_SCOPES = MappingProxyType(
    {
        "read": "ler",
        "payloads": "ver conteúdos",
        "operate": "operar",
        "administer": "administrar",
    }
)
# Details that are lists of words.
_LISTS = MappingProxyType({Action.ALERTS_CHANGED: _WATCHED, Action.API_TOKEN_MADE: _SCOPES})
# Details that are one word.
_WORDS = MappingProxyType(
    {
        (Action.LOGIN_REFUSED, "second factor"): "senha certa, código do segundo fator errado",
        (Action.SECRET_ROTATED, "finished"): "encerrou o segredo antigo",
        (Action.NEXT_TOKEN_CHANGED, "laid ready"): "deixou pronto",
        (Action.NEXT_TOKEN_CHANGED, "switched to"): "entrou no lugar do atual",
        (Action.NEXT_TOKEN_CHANGED, "removed"): "descartado",
        (Action.EXPORT, "deliveries"): "as entregas, em CSV",
        (Action.EXPORT, "events"): "os eventos, em CSV",
        (Action.EXPORT, "audit"): "a auditoria, em CSV",
        (Action.EXPORT, "gaps"): "as lacunas, em CSV",
        (Action.PRIVACY_EXPUNGE, "begun"): "começou",
        (Action.PASSWORD_CHANGED, "link"): "com o link de um administrador",
        (Action.GUEST_LINK_USED, "opened"): "abriu o link",
        (Action.GUEST_LINK_USED, "seen"): "viu a página",
        (Action.GUEST_LINK_MADE, "1 days"): "por 1 dia",
        (Action.WEBHOOK_PAUSED, "gone"): "a URL respondeu 410: não existe mais",
        (Action.WEBHOOK_PAUSED, "make_off"): "o cenário do Make está desligado (410)",
        # Pausing and resuming say it already.
        (Action.WEBHOOK_PAUSED, "state"): "",
        (Action.WEBHOOK_RESUMED, "state"): "",
        (Action.WEBHOOK_RESUMED, "discard"): "descartou o que esperava",
        (Action.RESEND, "newest_format"): "no formato de hoje",
    }
)
_EXPUNGED = re.compile(r"(\d+) events, (\d+) attempts, (\d+) cancelled")
_RECOVERED = re.compile(r"recovery code, (\d+) left")


def who_words(entry: AuditEntry) -> str:
    """Return the person's e-mail, or the name of the program."""
    if entry.user_id is None and entry.who in PROGRAMS:
        return PROGRAMS[entry.who]
    return entry.who or "(não era um e-mail)"


def bulk_words(detail: str) -> str:
    """Return how many deliveries were asked for ("12" or ">12"), and how many were queued.

    The id of the one event stays as it is.
    """
    if detail.startswith("evt_"):
        return detail
    queued, _, total = detail.rpartition(" of ")
    much = f"mais de {total[1:]}" if total.startswith(">") else total
    return f"{queued} de {much} entregas" if queued else f"entregas: {much}"


def detail_words(entry: AuditEntry) -> str:
    """Return the detail of an entry as the page shows it; as stored, if it has no words."""
    action, detail = Action(entry.action), entry.detail
    if action in _NAMES_OF_FIELDS:
        names, _, renamed = detail.partition(" | ")
        named = ", ".join(_FIELDS.get(name, name) for name in names.split())
        before, _, after = renamed.partition(" -> ")
        return (named or "salvou sem mudar nada") + (f": “{before}” → “{after}”" if after else "")
    if action in (Action.BULK_RESEND, Action.BULK_RESEND_CANCELLED, Action.SEND_STORED):
        return bulk_words(detail)
    if action is Action.KEYS_ROTATED and detail.isdigit():
        return f"segredos cifrados de novo: {detail}"
    if action in (Action.HOST_CHANGED, Action.SHARE_MOVED):
        return detail.replace(" -> ", " → ")
    if action is Action.GUEST_LINK_MADE and detail.endswith(" days") and detail != "1 days":
        return f"por {detail.removesuffix(' days')} dias"
    if action in _LISTS:
        return ", ".join(_LISTS[action].get(word, word) for word in detail.split())
    if action in _ABOUT_USERS:
        return " ".join(_OF_USERS.get(word, word) for word in detail.split())
    counted = _EXPUNGED.fullmatch(detail)
    if action is Action.PRIVACY_EXPUNGE and counted is not None:
        return "eventos: {}, tentativas: {}, entregas canceladas: {}".format(*counted.groups())
    recovered = _RECOVERED.fullmatch(detail)
    if action is Action.LOGIN and recovered is not None:
        return f"com um código de recuperação; restavam {recovered[1]}"
    return _WORDS.get((action, detail), detail)
