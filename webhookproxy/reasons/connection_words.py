"""The sentences about a company's connection to 3C Plus."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import ConnectionReason
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

_AGAIN = "Tentamos de novo {when}, sem parar, até conseguir."
_RECONNECT = "Tentamos reconectar {when}, e o intervalo sem conexão fica registrado."
_CHECK_HOST = "Confira o endereço do socket no cadastro da empresa."

CONNECTION_WORDS: Mapping[ConnectionReason, Words] = MappingProxyType(
    {
        ConnectionReason.NOT_WISHED: Words(
            english="The connection is switched off.",
            what="A conexão está desligada desde {since}.",
            then="Nenhum evento chega enquanto isso, e a 3C Plus não reenvia os perdidos.",
            you="Clique em “Conectar” para receber os eventos.",
        ),
        ConnectionReason.WISHED: Words(
            english="The connection was asked for and is being opened.",
            what="Estamos abrindo a conexão com a 3C Plus.",
            then="Isso costuma levar poucos segundos.",
            you=NOTHING_TO_DO,
        ),
        ConnectionReason.UNWISHED: Words(
            english="The connection is being closed, as it was asked for.",
            what="Estamos fechando a conexão com a 3C Plus.",
            then="Isso costuma levar menos de um segundo; o que já chegou continua sendo enviado.",
            you=NOTHING_TO_DO,
        ),
        ConnectionReason.ACCEPTED: Words(
            english="3C Plus accepted the connection.",
            what="Conectada à 3C Plus desde {since}.",
            then="Cada evento que chega é enviado para os seus webhooks.",
            you="Se os eventos não estão chegando, confirme se os tipos de eventos marcados nos "
            "webhooks estão corretos e se o token é de um gestor.",
        ),
        ConnectionReason.NAME_NOT_RESOLVED: Words(
            english="The socket's host name does not resolve.",
            what="O endereço do socket da 3C Plus não foi encontrado.",
            then=_AGAIN,
            you=_CHECK_HOST,
        ),
        ConnectionReason.ADDRESS_NOT_ALLOWED: Words(
            english="The socket's host name leads to an address that is not allowed.",
            what="O endereço do socket leva a uma rede à qual não nos conectamos.",
            then=_AGAIN,
            you=_CHECK_HOST,
        ),
        ConnectionReason.CONNECTION_FAILED: Words(
            english="The socket's server could not be reached.",
            what="Não conseguimos chegar ao servidor da 3C Plus.",
            then=_AGAIN,
            you="Se demorar, veja se a 3C Plus está no ar. " + _CHECK_HOST,
        ),
        ConnectionReason.TLS_FAILED: Words(
            english="The secure connection to the socket's server failed.",
            what="Não foi possível abrir uma conexão segura com o servidor da 3C Plus.",
            then=_AGAIN,
            you=_CHECK_HOST,
        ),
        ConnectionReason.HANDSHAKE_FAILED: Words(
            english="The server did not answer as a Socket.IO server does.",
            what="O servidor respondeu, mas não abriu a conexão de eventos.",
            then=_AGAIN,
            you="Se demorar, veja se a 3C Plus está no ar. " + _CHECK_HOST,
        ),
        ConnectionReason.HANDSHAKE_TIMEOUT: Words(
            english="The server took too long to accept the connection.",
            what="O servidor da 3C Plus demorou demais para aceitar a conexão.",
            then=_AGAIN,
            you="Se demorar, veja se a 3C Plus está no ar.",
        ),
        ConnectionReason.REFUSED: Words(
            english="3C Plus refused the token.",
            what="Token inválido: a 3C Plus recusa o token desta empresa desde {since}.",
            then="Tentamos de novo {when}, e na mesma hora se você trocar o token.",
            you="Verifique se o token da 3C Plus está correto e confirme se a empresa está ativa "
            "na 3C Plus. Use o token de um gestor; o de um agente só vale com o ID do agente.",
        ),
        ConnectionReason.REFUSED_FOR_NOW: Words(
            english="3C Plus refused a token that it accepted before; it may be its own outage.",
            what="A 3C Plus recusou um token que antes aceitava: pode ser uma falha dela.",
            then=_RECONNECT,
            you="Se continuar, verifique se o token ainda está válido na 3C Plus.",
        ),
        ConnectionReason.SERVER_REFUSED: Words(
            english="3C Plus refused the connection for a reason that is not the token.",
            what="A 3C Plus recusou a conexão, e o motivo não parece ser o token.",
            then=_AGAIN,
            you="Se demorar, veja se a 3C Plus está no ar e se a empresa está ativa nela.",
        ),
        ConnectionReason.KICKED: Words(
            english="3C Plus closed the connection.",
            what="A 3C Plus encerrou a conexão.",
            then=_RECONNECT,
            you="Se isso se repete, verifique se o token da 3C Plus ainda está válido.",
        ),
        ConnectionReason.DROPPED: Words(
            english="The connection dropped.",
            what="A conexão com a 3C Plus caiu.",
            then=_RECONNECT,
            you="Você não precisa fazer nada; a 3C Plus não reenvia os eventos desse intervalo.",
        ),
        ConnectionReason.SILENT: Words(
            english="The server stopped answering.",
            what="O servidor da 3C Plus parou de responder.",
            then=_RECONNECT,
            you=NOTHING_TO_DO,
        ),
        ConnectionReason.DEAF: Words(
            english="The connection was open but no longer took in events.",
            what="A conexão estava aberta, mas deixou de entregar eventos.",
            then="Abrimos uma conexão nova {when}, e o intervalo fica registrado.",
            you="Se isso se repete, avise o suporte.",
        ),
        ConnectionReason.TOKEN_CHANGED: Words(
            english="The token or the address was changed, so the connection is opened again.",
            what="O token ou o endereço da empresa mudou.",
            then="Abrimos uma conexão nova com os dados novos.",
            you=NOTHING_TO_DO,
        ),
        ConnectionReason.OWNER_GONE: Words(
            english="The process that held the connection stopped.",
            what="Nosso serviço está reiniciando.",
            then="A conexão volta sozinha, e o intervalo sem conexão fica registrado.",
            you="Você não precisa fazer nada; se durar mais de um minuto, avise o suporte.",
        ),
    }
)

# A company whose socket was never asked for.
NEVER_CONNECTED = Words(
    english="The connection was never switched on.",
    what="Esta empresa ainda não foi conectada.",
    then="Nenhum evento chega enquanto isso.",
    you="Clique em “Conectar” para receber os eventos.",
)

# What a gap that is over is said to have been, where the words of its reason speak of now.
_PAST: Mapping[ConnectionReason, str] = MappingProxyType(
    {
        ConnectionReason.OWNER_GONE: "Nosso serviço foi reiniciado.",
        ConnectionReason.REFUSED: "A 3C Plus recusou o token desta empresa.",
    }
)

# What follows these words where a server with connection state recovery lost nothing.
RECOVERED_GAP = "Recuperada pelo servidor: a 3C Plus reenviou os eventos."


def gap_words(reason: ConnectionReason, *, is_over: bool, died: bool) -> str:
    """Return why there was no socket; `died`: its owner ended without closing it."""
    if died:
        back = " e voltou" if is_over else ""
        return f"Nosso serviço parou de repente{back}."
    if is_over and reason in _PAST:
        return _PAST[reason]
    return CONNECTION_WORDS[reason].filled().what
