"""The sentences about a delivery, and about an event that has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from webhookproxy.reasons.answer_words import AGAIN, ANSWER_WORDS
from webhookproxy.reasons.codes import DeliveryReason, DeliveryState, EventNote
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

_CHECK_URL = "Verifique se sua URL está online e se aceita requisições POST."
_CERTIFICATE = "Peça a quem cuida do servidor que {task} o certificado HTTPS."

DELIVERY_WORDS: Mapping[DeliveryReason, Words] = MappingProxyType(
    {
        DeliveryReason.WAITING_TURN: Words(
            english="The delivery waits for its turn.",
            what="O evento está na fila deste webhook desde {since}.",
            then="Enviamos assim que chegar a vez dele.",
            you="Se a fila não diminui, aumente o paralelismo ou o limite de envios do webhook.",
        ),
        DeliveryReason.RESENT: Words(
            english="A user asked for this delivery.",
            what="Alguém da sua equipe pediu o envio deste evento.",
            then="Enviamos assim que chegar a vez dele, com o mesmo event_id.",
            you="Se quem recebe já tratou este evento, use o event_id para ignorar a repetição.",
        ),
        DeliveryReason.WEBHOOK_PAUSED: Words(
            english="The webhook is paused.",
            what="O webhook está pausado desde {since}.",
            then="O evento fica guardado e é enviado quando o webhook voltar a ficar ativo.",
            you="Reative o webhook quando quiser receber os eventos guardados.",
        ),
        DeliveryReason.CIRCUIT_OPEN: Words(
            english="The receiver keeps failing, so deliveries wait for a probe to succeed.",
            what="Sua URL vem falhando desde {since}, e por isso seguramos os envios.",
            then="Guardamos tudo e testamos a URL de novo {when}; se der certo, os envios voltam.",
            you=_CHECK_URL + " Verifique se retorna status 200. Salvar o webhook testa na hora.",
        ),
        DeliveryReason.INTERRUPTED: Words(
            english="The relay stopped in the middle of the attempt.",
            what="Nosso serviço reiniciou no meio do envio, e não sabemos se ele chegou.",
            then="Enviamos de novo, com o mesmo event_id.",
            you="Se o evento chegar duas vezes, use o event_id para ignorar a repetição.",
        ),
        **ANSWER_WORDS,
        DeliveryReason.NAME_NOT_RESOLVED: Words(
            english="The host name does not resolve.",
            what="URL não acessível: o nome do domínio não resolve (não foi encontrado).",
            then=AGAIN,
            you="Verifique se o domínio está escrito corretamente e se está no ar.",
        ),
        DeliveryReason.ADDRESS_NOT_ALLOWED: Words(
            english="The host name leads to an address that is not allowed.",
            what="A URL leva a um endereço para o qual não enviamos, como o de uma rede interna.",
            then=AGAIN,
            you="Use uma URL pública, acessível pela internet.",
        ),
        DeliveryReason.CONNECTION_REFUSED: Words(
            english="The receiver refused the connection.",
            what="URL não acessível: o servidor recusou a conexão.",
            then=AGAIN,
            you=_CHECK_URL + " Confira também a porta.",
        ),
        DeliveryReason.CONNECTION_FAILED: Words(
            english="The receiver could not be reached.",
            what="URL não acessível: não conseguimos chegar ao servidor.",
            then=AGAIN,
            you=_CHECK_URL,
        ),
        DeliveryReason.CONNECTION_LOST: Words(
            english="The receiver closed the connection before it answered.",
            what="O servidor fechou a conexão antes de responder.",
            then=AGAIN,
            you="Verifique se o sistema que recebe não está caindo ou reiniciando.",
        ),
        DeliveryReason.CONNECT_TIMEOUT: Words(
            english="Connecting to the receiver took too long.",
            what="URL não acessível: o servidor não atendeu a tempo.",
            then=AGAIN,
            you=_CHECK_URL + " Confira se um firewall não está bloqueando o acesso.",
        ),
        DeliveryReason.ANSWER_TIMEOUT: Words(
            english="The receiver took too long to answer.",
            what="Sua URL demorou demais para responder.",
            then=AGAIN,
            you="Responda com status 200 logo que receber e processe depois, ou aumente o tempo "
            "limite do webhook.",
        ),
        DeliveryReason.TLS_EXPIRED: Words(
            english="The receiver's certificate has expired.",
            what="O certificado HTTPS do servidor está vencido.",
            then=AGAIN,
            you=_CERTIFICATE.format(task="renove"),
        ),
        DeliveryReason.TLS_WRONG_NAME: Words(
            english="The receiver's certificate is for another name.",
            what="O certificado HTTPS do servidor é de outro domínio.",
            then=AGAIN,
            you="Confira o domínio da URL. " + _CERTIFICATE.format(task="corrija"),
        ),
        DeliveryReason.TLS_UNTRUSTED: Words(
            english="The receiver's certificate is not from a trusted authority.",
            what="O certificado HTTPS do servidor não é de uma autoridade reconhecida.",
            then=AGAIN,
            you="Use um certificado válido (o Let's Encrypt é gratuito), com a cadeia completa.",
        ),
        DeliveryReason.TLS_FAILED: Words(
            english="The secure connection to the receiver failed.",
            what="Não foi possível abrir uma conexão segura (HTTPS) com o servidor.",
            then=AGAIN,
            you="Verifique se a URL usa https na porta certa e se o servidor aceita TLS 1.2 ou "
            "mais novo.",
        ),
        DeliveryReason.BAD_ANSWER: Words(
            english="The receiver's answer is not valid HTTP.",
            what="Sua URL deu uma resposta que não entendemos.",
            then=AGAIN,
            you="Verifique se nesse endereço e porta há mesmo um servidor web.",
        ),
        DeliveryReason.INTERNAL_ERROR: Words(
            english="The relay itself failed during the attempt.",
            what="Tivemos um problema do nosso lado ao enviar.",
            then=AGAIN,
            you="Se isso se repete, avise o suporte e informe o event_id.",
        ),
        DeliveryReason.EXHAUSTED: Words(
            english="The event failed eight times while others were accepted.",
            what="Sua URL aceitou outros eventos, mas este falhou em todas as tentativas.",
            then="Não tentamos mais este evento, e os seguintes continuam sendo enviados.",
            you="Veja a resposta de cada tentativa, corrija o que recebe e reenvie o evento.",
        ),
        DeliveryReason.MAX_AGE: Words(
            english="The event was not accepted within the webhook's maximum age.",
            what="Sua URL não aceitou o evento dentro do prazo do webhook.",
            then="Não tentamos mais este evento.",
            you="Quando sua URL estiver online, reenvie o evento. O prazo se muda no webhook.",
        ),
        DeliveryReason.WEBHOOK_DELETED: Words(
            english="The webhook was deleted.",
            what="O webhook foi excluído antes do envio.",
            then="O evento não será enviado para ele.",
            you="Se ainda precisa desses eventos, crie outro webhook.",
        ),
        DeliveryReason.COMPANY_DELETED: Words(
            english="The company was deleted.",
            what="A empresa foi excluída antes do envio.",
            then="O evento não será enviado.",
            you=NOTHING_TO_DO,
        ),
        DeliveryReason.DISCARDED: Words(
            english="A user discarded the delivery.",
            what="Alguém da sua equipe descartou esta entrega.",
            then="O evento não será enviado.",
            you="Se mudou de ideia, reenvie o evento.",
        ),
        DeliveryReason.EXPUNGED: Words(
            english="Personal data was taken out of the event, so it is not sent any more.",
            what="Dados pessoais deste evento foram apagados a pedido de quem os dados são (LGPD).",
            then="O evento não será enviado.",
            you=NOTHING_TO_DO,
        ),
        DeliveryReason.FILTERED_OUT: Words(
            english="The webhook's filter left the event out.",
            what="O filtro deste webhook pede “{condition}”, e o evento não atende.",
            then="O evento fica registrado, mas não é enviado.",
            you="Se queria recebê-lo, mude o filtro do webhook: vale para os próximos eventos.",
        ),
        DeliveryReason.ALREADY_RECOVERED: Words(
            english="The call was recovered before, so its event was sent already.",
            what="Já recuperada: esta ligação já tinha sido buscada na 3C Plus e enviada daqui.",
            then="O evento que chegou depois fica registrado, mas não é enviado.",
            you="Se quem recebe precisa deste também, envie mesmo assim.",
        ),
        DeliveryReason.UNRENDERABLE: Words(
            english="The event has no body in the webhook's format, so nothing was sent.",
            what="Não dá para montar o corpo deste evento no formato do webhook.",
            then="Nada dele foi enviado, e os eventos seguintes continuam sendo enviados.",
            you="Mude o formato do webhook e reenvie o evento.",
        ),
        DeliveryReason.SIMULATION: Words(
            english="The webhook is simulated, so nothing was sent.",
            what="O webhook está em modo simulado: nada foi enviado.",
            then="Mostramos aqui o que teria sido enviado.",
            you="Quando estiver tudo certo, mude o webhook para ativo.",
        ),
    }
)

# The sentence after a final state, even if the last attempt's reason says that we try again.
# ACCEPTED, and reasons that only a final state has, need none.
_NO_MORE: Mapping[DeliveryState, str] = MappingProxyType(
    {
        DeliveryState.REFUSED: "Não tentamos mais este evento, e os seguintes continuam sendo "
        "enviados.",
        DeliveryState.EXPIRED: "O prazo do webhook passou, e não tentamos mais este evento.",
        DeliveryState.CANCELLED: "A entrega foi cancelada, e o evento não será enviado.",
    }
)
_FINAL_REASONS = frozenset(
    {
        DeliveryReason.EXHAUSTED,
        DeliveryReason.MAX_AGE,
        DeliveryReason.WEBHOOK_DELETED,
        DeliveryReason.COMPANY_DELETED,
        DeliveryReason.DISCARDED,
        DeliveryReason.EXPUNGED,
        DeliveryReason.UNRENDERABLE,
    }
)

EVENT_WORDS: Mapping[EventNote, Words] = MappingProxyType(
    {
        EventNote.MASKED: Words(
            english="Personal data was taken out of this event.",
            what="Dados pessoais deste evento foram apagados a pedido de quem os dados são (LGPD).",
            then="O evento continua na lista, com os dados ocultos, e não será mais enviado.",
            you=NOTHING_TO_DO,
        ),
        EventNote.MAY_BE_REPEAT: Words(
            english="This event may be a repeat: two processes listened while one replaced the"
            " other, and equal events around that moment cannot be told apart.",
            what="Este evento pode ser repetição: chegou enquanto um processo substituía o outro, "
            "e um evento igual acabava de ser guardado.",
            then="Na dúvida, enviamos: repetir é melhor que perder.",
            you="Se o receptor não pode receber o mesmo fato duas vezes, confira este.",
        ),
        EventNote.UNWANTED: Words(
            english="No webhook asked for this event.",
            what="Nenhum webhook desta empresa pediu este evento.",
            then="Ele fica guardado por pouco tempo, só para consulta.",
            you="Para recebê-lo, marque este tipo de evento em um webhook.",
        ),
        EventNote.TOO_LARGE: Words(
            english="The event is larger than 1 MB and was not kept.",
            what="O evento passa de 1 MB.",
            then="Guardamos só o nome, o tamanho e o começo dele; nada é enviado.",
            you="Se precisa dos dados, consulte-os direto na 3C Plus.",
        ),
        EventNote.UNREADABLE: Words(
            english="The packet could not be read as an event.",
            what="A 3C Plus enviou algo que não conseguimos ler como evento.",
            then="Guardamos só o tamanho e o começo dele; nada é enviado, e os outros eventos "
            "seguem normalmente.",
            you="Se isso se repete, avise o suporte.",
        ),
    }
)


def words_of_attempt(reason: DeliveryReason, status: int | None, detail: str | None) -> Words:
    """Return the words for one attempt; `detail` is what was stored of its answer in our words."""
    return DELIVERY_WORDS[reason].filled(
        status=status or "de erro",
        target=detail if reason is DeliveryReason.REDIRECTED else None,
        rule=detail if reason is DeliveryReason.ANSWER_FAILED else None,
    )


def delivery_words(state: DeliveryState, reason: DeliveryReason) -> Words:
    """Return the words for a delivery in this state; a final one never says "we try again"."""
    words = DELIVERY_WORDS[reason]
    if state not in _NO_MORE or reason in _FINAL_REASONS:
        return words
    return replace(words, then=_NO_MORE[state])
