"""Why a message did not reach a person, and the sentences for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from webhookproxy.reasons.words import Words


class AlertError(StrEnum):
    """Why one message was not sent to one address."""

    # on our side
    NO_CHANNEL = "no_channel"
    BAD_TARGET = "bad_target"
    INTERNAL = "internal"
    # the service was not reached, or not understood
    NOT_REACHED = "not_reached"
    TOO_SLOW = "too_slow"
    CONNECTION_LOST = "connection_lost"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    BAD_CERTIFICATE = "bad_certificate"
    NO_ENCRYPTION = "no_encryption"
    NOT_UNDERSTOOD = "not_understood"
    # e-mail
    LOGIN_REFUSED = "login_refused"
    SENDER_REFUSED = "sender_refused"
    BOUNCED = "bounced"
    MAIL_REFUSED = "mail_refused"
    MAIL_DELAYED = "mail_delayed"
    # chats and the like
    BOT_BLOCKED = "bot_blocked"
    BOT_UNKNOWN = "bot_unknown"
    CHAT_NOT_FOUND = "chat_not_found"
    SLACK_REMOVED = "slack_removed"
    TOPIC_REFUSED = "topic_refused"
    # any of them
    THROTTLED = "throttled"
    FAILING = "failing"
    REFUSED = "refused"
    GONE = "gone"


_AGAIN = "Tentamos de novo; se não der, o aviso vai para o seu próximo endereço confirmado."
_NEXT = "O aviso vai para o seu próximo endereço confirmado, se houver um."
_SERVICE = "Veja se o serviço está no ar; se estiver, fale com quem administra este servidor."
_ADMINISTRATOR = "Fale com quem administra este servidor: a configuração {} precisa de ajuste."

ALERT_ERROR_WORDS: Mapping[AlertError, Words] = MappingProxyType(
    {
        AlertError.NO_CHANNEL: Words(
            english="This server is not set up to send to addresses of this kind.",
            what="Este servidor não está preparado para enviar avisos por este canal.",
            then=_NEXT,
            you=_ADMINISTRATOR.format("SMTP_URL"),
        ),
        AlertError.BAD_TARGET: Words(
            english="The stored address cannot be used: remove it and add it again.",
            what="O endereço guardado não pode ser usado.",
            then=_NEXT,
            you="Remova o endereço e cadastre-o de novo.",
        ),
        AlertError.INTERNAL: Words(
            english="Something went wrong on our side; the log says what.",
            what="Tivemos um problema do nosso lado ao enviar.",
            then=_AGAIN,
            you="Se continuar, fale com quem administra este servidor: o log diz a causa.",
        ),
        AlertError.NOT_REACHED: Words(
            english="The server of this channel could not be reached.",
            what="O servidor deste canal não foi alcançado.",
            then=_AGAIN,
            you=_SERVICE,
        ),
        AlertError.TOO_SLOW: Words(
            english="The server of this channel did not answer in time.",
            what="O servidor deste canal não respondeu a tempo.",
            then=_AGAIN,
            you=_SERVICE,
        ),
        AlertError.CONNECTION_LOST: Words(
            english="The server of this channel closed the connection.",
            what="O servidor deste canal fechou a conexão antes de aceitar o aviso.",
            then=_AGAIN,
            you=_SERVICE,
        ),
        AlertError.ADDRESS_NOT_ALLOWED: Words(
            english="The address leads to where nothing is sent, such as an internal network.",
            what="O endereço leva a um lugar para o qual não enviamos, como uma rede interna.",
            then=_NEXT,
            you="Use um endereço público, acessível pela internet.",
        ),
        AlertError.BAD_CERTIFICATE: Words(
            english="The server's certificate is not valid, so nothing was sent.",
            what="O certificado do servidor não é válido, e por isso nada foi enviado.",
            then=_AGAIN,
            you="Peça a quem cuida desse servidor que corrija o certificado.",
        ),
        AlertError.NO_ENCRYPTION: Words(
            english="The mail server offers no STARTTLS, so nothing was sent.",
            what="O servidor de e-mail não oferece conexão segura (STARTTLS); nada foi enviado.",
            then=_NEXT,
            you=_ADMINISTRATOR.format("SMTP_URL"),
        ),
        AlertError.NOT_UNDERSTOOD: Words(
            english="The server's answer makes no sense: check the server and the port.",
            what="O servidor deste canal deu uma resposta que não entendemos.",
            then=_AGAIN,
            you="Confira se o endereço e a porta são mesmo desse serviço.",
        ),
        AlertError.LOGIN_REFUSED: Words(
            english="The mail server refused the user and password of SMTP_URL.",
            what="O servidor de e-mail recusou o usuário e a senha deste servidor.",
            then=_NEXT,
            you=_ADMINISTRATOR.format("SMTP_URL"),
        ),
        AlertError.SENDER_REFUSED: Words(
            english="The mail server refused the sender SMTP_FROM.",
            what="O servidor de e-mail recusou o remetente dos avisos.",
            then=_NEXT,
            you=_ADMINISTRATOR.format("SMTP_FROM"),
        ),
        AlertError.BOUNCED: Words(
            english="The mail server says that this e-mail address does not exist.",
            what="O servidor de e-mail recusou este endereço: a caixa não existe ou não recebe.",
            then=_NEXT,
            you="Confira o e-mail; se mudou, remova este e cadastre o novo.",
        ),
        AlertError.MAIL_REFUSED: Words(
            english="The mail server refused the message itself.",
            what="O servidor de e-mail recusou a mensagem.",
            then=_NEXT,
            you="Peça a quem cuida do e-mail que aceite mensagens deste remetente.",
        ),
        AlertError.MAIL_DELAYED: Words(
            english="The mail server takes the message later.",
            what="O servidor de e-mail pediu para tentarmos mais tarde.",
            then=_AGAIN,
            you="Espere alguns minutos; se não chegar, veja se a caixa está cheia.",
        ),
        AlertError.BOT_BLOCKED: Words(
            english="The chat has blocked the bot, or removed it from the group.",
            what="O chat bloqueou o bot, ou o tirou do grupo.",
            then=_NEXT,
            you="Desbloqueie o bot no Telegram, ou ponha-o de volta no grupo, e envie um teste.",
        ),
        AlertError.BOT_UNKNOWN: Words(
            english="Telegram knows no bot with this token.",
            what="O Telegram não conhece um bot com este token.",
            then=_NEXT,
            you="Copie o token de novo do @BotFather e cadastre o endereço outra vez.",
        ),
        AlertError.CHAT_NOT_FOUND: Words(
            english="The bot does not find this chat.",
            what="O bot não encontra este chat.",
            then=_NEXT,
            you="Mande /start ao bot, ou ponha-o no grupo, e confira o número do chat.",
        ),
        AlertError.SLACK_REMOVED: Words(
            english="Slack no longer takes messages at this URL.",
            what="O Slack não aceita mais avisos nesta URL: foi removida, ou o canal arquivado.",
            then=_NEXT,
            you="Crie outra URL de webhook no Slack e cadastre-a no lugar desta.",
        ),
        AlertError.TOPIC_REFUSED: Words(
            english="The ntfy server does not let us write to this topic.",
            what="O servidor do ntfy não nos deixa escrever neste tópico.",
            then=_NEXT,
            you="Cadastre-o com um token de acesso que possa escrever nele, ou use um tópico que "
            "não seja reservado.",
        ),
        AlertError.THROTTLED: Words(
            english="The service asks for fewer messages.",
            what="O serviço pediu menos mensagens por enquanto.",
            then=_AGAIN,
            you="Espere: o aviso sai assim que o serviço permitir.",
        ),
        AlertError.FAILING: Words(
            english="The service answered with an error.",
            what="O serviço respondeu com erro.",
            then=_AGAIN,
            you=_SERVICE,
        ),
        AlertError.REFUSED: Words(
            english="The service refused the message.",
            what="O serviço recusou o aviso.",
            then=_AGAIN,
            you="Confira o endereço; se estiver certo, veja o que o serviço exige.",
        ),
        AlertError.GONE: Words(
            english="The URL answered that it is gone.",
            what="A URL respondeu que não existe mais (410).",
            then=_NEXT,
            you="Cadastre a URL nova no lugar desta.",
        ),
    }
)
