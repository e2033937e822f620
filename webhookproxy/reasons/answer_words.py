"""What is said about a delivery whose receiver answered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import DeliveryReason
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

AGAIN = "Guardamos o evento e tentamos de novo {when}."

ANSWER_WORDS: Mapping[DeliveryReason, Words] = MappingProxyType(
    {
        DeliveryReason.ACCEPTED: Words(
            english="The receiver accepted the event.",
            what="Sua URL recebeu o evento e respondeu com status {status}.",
            then="Esta entrega está concluída.",
            you=NOTHING_TO_DO,
        ),
        DeliveryReason.REFUSED_STATUS: Words(
            english="The receiver refused the event with a 4xx status.",
            what="Sua URL recusou o evento com status {status}.",
            then=AGAIN,
            you="Veja a resposta da sua URL e confira o endereço, a autenticação e se ela retorna "
            "status 200 para este evento.",
        ),
        DeliveryReason.ANSWER_FAILED: Words(
            english="The receiver answered with a 2xx, but not what the webhook counts as success.",
            what="Sua URL respondeu com status {status}, mas a resposta diz que falhou: {rule}.",
            then=AGAIN,
            you="Veja a resposta da sua URL. Se ela era de sucesso, corrija no webhook o que conta "
            "como sucesso.",
        ),
        DeliveryReason.FAILED_STATUS: Words(
            english="The receiver answered with an error status.",
            what="Sua URL respondeu com erro: status {status}.",
            then=AGAIN,
            you="Verifique o que falhou no sistema que recebe; ele deve retornar status 200.",
        ),
        DeliveryReason.THROTTLED: Words(
            english="The receiver asked for fewer requests.",
            what="Sua URL pediu para enviarmos mais devagar (status {status}).",
            then=AGAIN,
            you="Se isso se repete, defina um limite de envios por segundo no webhook.",
        ),
        DeliveryReason.BUSY: Words(
            english="The receiver is busy and takes no events for now.",
            what="Sua URL respondeu que está ocupada e não recebe agora (status {status}).",
            then=AGAIN,
            you="Se isso se repete, defina um limite de envios por segundo no webhook, ou diminua "
            "o paralelismo.",
        ),
        DeliveryReason.OUT_OF_CREDITS: Words(
            english="The account at the receiver has no credits left.",
            what="A conta no sistema que recebe está sem créditos (status {status}).",
            then=AGAIN,
            you="Renove os créditos ou o plano nesse sistema; os eventos esperam até o prazo do "
            "webhook.",
        ),
        DeliveryReason.REDIRECTED: Words(
            english="The receiver redirects, which is never followed: use the final address.",
            what="A URL redireciona para {target} (status {status}): use o endereço final.",
            then="Por segurança não seguimos o redirecionamento. " + AGAIN,
            you="Coloque no webhook o endereço final, aquele que retorna status 200.",
        ),
        DeliveryReason.GONE: Words(
            english="The receiver answered 410, so the webhook was paused.",
            what="Sua URL respondeu que não existe mais (status {status}).",
            then="Pausamos o webhook e guardamos os eventos.",
            you="Confira se o fluxo que recebe está ligado, corrija a URL e reative o webhook.",
        ),
        DeliveryReason.N8N_TEST_URL: Words(
            english="The n8n workflow does not listen on its test URL (404).",
            what="O fluxo do n8n está desativado (404 na URL de teste).",
            then=AGAIN,
            you="Ative o fluxo no n8n e use a “Production URL”, que tem /webhook/ no lugar de "
            "/webhook-test/. A de teste só escuta depois de um clique no n8n.",
        ),
        DeliveryReason.MAKE_OFF: Words(
            english="The Make scenario is switched off (410), so the webhook was paused.",
            what="O cenário do Make está desligado (410).",
            then="Pausamos o webhook e guardamos os eventos.",
            you="Ligue o cenário no Make e reative o webhook.",
        ),
        DeliveryReason.MAKE_QUEUE_FULL: Words(
            english="The queue of the Make webhook is full.",
            what="A fila do webhook no Make está cheia (status {status}).",
            then=AGAIN,
            you="O cenário processa menos do que recebe: no Make, execute-o com mais frequência ou "
            "aumente o plano; aqui, defina um limite de envios por segundo no webhook.",
        ),
        DeliveryReason.APPS_SCRIPT_RAN: Words(
            english="The Google Apps Script ran: it always answers with a redirect to its output.",
            what="O Google Apps Script recebeu o evento e executou o doPost (status {status}).",
            then="Esta entrega está concluída. O Apps Script sempre responde com um "
            "redirecionamento para a saída do script, que não precisamos seguir.",
            you="Se o script falhou por dentro, ele responde igual: veja as execuções no Apps "
            "Script.",
        ),
        DeliveryReason.APPS_SCRIPT_PRIVATE: Words(
            english="The Google Apps Script asks for a login: publish it for anyone.",
            what="O Google Apps Script pede login, e por isso não foi executado (status {status}).",
            then=AGAIN,
            you="No Apps Script, implante o app da Web com acesso para “Qualquer pessoa” e use a "
            "URL que termina em /exec.",
        ),
    }
)
