"""Why 3C Plus does not say which calls there were, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import PlatformTrouble
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

_AGAIN = "Perguntamos de novo daqui a pouco."
_NO_MORE = "Não perguntamos mais por estas ligações."

PLATFORM_WORDS: Mapping[PlatformTrouble, Words] = MappingProxyType(
    {
        PlatformTrouble.UNAUTHORIZED: Words(
            english="3C Plus refused the token (401).",
            what="A 3C Plus recusou o token (401): ele não existe, venceu ou foi revogado.",
            then=_NO_MORE,
            you="Cadastre um token novo na empresa e peça a recuperação de novo.",
        ),
        PlatformTrouble.FORBIDDEN: Words(
            english="The token's role may not list calls (403).",
            what="O token não pode listar ligações (403): é preciso o de um gestor.",
            then=_NO_MORE,
            you="Cadastre o token de um gestor na empresa e peça a recuperação de novo.",
        ),
        PlatformTrouble.REFUSED: Words(
            english="3C Plus refused the request.",
            what="A 3C Plus não aceitou o pedido.",
            then=_NO_MORE,
            you="Se isso se repete, avise o suporte.",
        ),
        PlatformTrouble.THROTTLED: Words(
            english="3C Plus asks for fewer requests.",
            what="A 3C Plus pediu para perguntar mais devagar.",
            then=_AGAIN,
            you=NOTHING_TO_DO,
        ),
        PlatformTrouble.EMPTY: Words(
            english="3C Plus sent an empty answer.",
            what="A 3C Plus respondeu sem dizer nada.",
            then=_AGAIN,
            you=NOTHING_TO_DO,
        ),
        PlatformTrouble.FAILING: Words(
            english="3C Plus has a failure of its own.",
            what="A 3C Plus está com uma falha.",
            then=_AGAIN,
            you=NOTHING_TO_DO,
        ),
        PlatformTrouble.NOT_UNDERSTOOD: Words(
            english="The answer of 3C Plus is cut short or not understood.",
            what="A resposta da 3C Plus chegou cortada, ou de um jeito que não entendemos.",
            then=_AGAIN,
            you="Se isso se repete, avise o suporte.",
        ),
        PlatformTrouble.NOT_REACHED: Words(
            english="3C Plus was not reached.",
            what="Não conseguimos falar com a 3C Plus.",
            then=_AGAIN,
            you=NOTHING_TO_DO,
        ),
        PlatformTrouble.NO_ADDRESS: Words(
            english="The company has no REST address of 3C Plus.",
            what="Não sabemos em que endereço perguntar à 3C Plus por esta empresa.",
            then=_NO_MORE,
            you="Informe o endereço REST da 3C Plus na empresa.",
        ),
    }
)
