"""The sentences about a company's second socket, which is only observed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import SecondSocketState
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

_OVER = "A segunda conexão foi fechada, e a primeira segue como antes."
_AGAIN = (
    "Para observar de novo, por exemplo depois de falar com a 3C Plus, desmarque a observação no "
    "cadastro da empresa, salve, e marque de novo."
)

SECOND_SOCKET_WORDS: Mapping[SecondSocketState, Words] = MappingProxyType(
    {
        SecondSocketState.WAITING: Words(
            english="The second socket waits until the first one is connected.",
            what="A segunda conexão ainda não está aberta.",
            then="Ela abre segundos depois da primeira, e de novo quando cai.",
            you=NOTHING_TO_DO,
        ),
        SecondSocketState.OBSERVING: Words(
            english="The second socket is compared with the first one.",
            what="A segunda conexão está aberta e é comparada com a primeira.",
            then="O que ela traz é contado e descartado: nada é guardado nem enviado em dobro.",
            you="Veja o resultado depois de um dia.",
        ),
        SecondSocketState.REFUSED: Words(
            english="3C Plus refused a second socket with the token.",
            what="A 3C Plus aceita uma conexão por token: recusou a segunda.",
            then=_OVER,
            you=_AGAIN,
        ),
        SecondSocketState.ONE_SOCKET: Words(
            english="3C Plus ended a socket because of another one with the same token.",
            what="A 3C Plus aceita uma conexão por token: fechou uma por causa da outra.",
            then=_OVER,
            you=_AGAIN,
        ),
        SecondSocketState.TEXTS_DIFFER: Words(
            english="The two sockets bring different texts.",
            what="Os textos diferem por conexão: os eventos não encontram o seu par.",
            then=_OVER,
            you=_AGAIN,
        ),
        SecondSocketState.BEHIND: Words(
            english="One of the two sockets lags too far behind the other one.",
            what="Uma das duas conexões ficou para trás: milhares de eventos esperavam o seu par.",
            then=_OVER,
            you=_AGAIN,
        ),
    }
)
