"""The causes of a webhook's trouble: as they go on now, by name in a list, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import DeliveryReason

# The beginning of a sentence that goes on with ", desde 16:18." Other reasons say the same as of
# one delivery.
LASTING: Mapping[DeliveryReason, str] = MappingProxyType(
    {
        DeliveryReason.REFUSED_STATUS: "Sua URL recusa os eventos com status {status}",
        DeliveryReason.ANSWER_FAILED: "Sua URL responde com status {status}, mas a resposta diz "
        "que falhou",
        DeliveryReason.FAILED_STATUS: "Sua URL responde com erro: status {status}",
        DeliveryReason.THROTTLED: "Sua URL pede para enviarmos mais devagar (status {status})",
        DeliveryReason.BUSY: "Sua URL responde que está ocupada (status {status})",
        DeliveryReason.REDIRECTED: "A URL redireciona para {target} (status {status})",
        DeliveryReason.GONE: "Sua URL responde que não existe mais (status {status})",
        DeliveryReason.CONNECTION_REFUSED: "URL não acessível: o servidor recusa a conexão",
        DeliveryReason.CONNECTION_LOST: "O servidor fecha a conexão antes de responder",
        DeliveryReason.CONNECT_TIMEOUT: "URL não acessível: o servidor não atende a tempo",
        DeliveryReason.ANSWER_TIMEOUT: "Sua URL demora demais para responder",
        DeliveryReason.TLS_FAILED: "Não é possível abrir uma conexão segura (HTTPS) com o servidor",
        DeliveryReason.BAD_ANSWER: "Sua URL dá uma resposta que não entendemos",
        DeliveryReason.INTERNAL_ERROR: "Temos um problema do nosso lado ao enviar",
    }
)

# What a group of webhooks with the same trouble is called.
NAMES: Mapping[DeliveryReason, str] = MappingProxyType(
    {
        DeliveryReason.REFUSED_STATUS: "Recusa com status {status}",
        DeliveryReason.ANSWER_FAILED: "Resposta de falha ({status})",
        DeliveryReason.FAILED_STATUS: "Erro {status}",
        DeliveryReason.THROTTLED: "Limite de envios ({status})",
        DeliveryReason.BUSY: "Sistema ocupado ({status})",
        DeliveryReason.OUT_OF_CREDITS: "Conta sem créditos ({status})",
        DeliveryReason.REDIRECTED: "Redirecionamento ({status})",
        DeliveryReason.GONE: "URL não existe mais (410)",
        DeliveryReason.N8N_TEST_URL: "Fluxo do n8n desativado",
        DeliveryReason.MAKE_OFF: "Cenário do Make desligado",
        DeliveryReason.MAKE_QUEUE_FULL: "Fila do Make cheia",
        DeliveryReason.APPS_SCRIPT_PRIVATE: "Apps Script pede login",
        DeliveryReason.NAME_NOT_RESOLVED: "Domínio não encontrado",
        DeliveryReason.ADDRESS_NOT_ALLOWED: "Endereço não permitido",
        DeliveryReason.CONNECTION_REFUSED: "Conexão recusada",
        DeliveryReason.CONNECTION_FAILED: "Servidor não alcançado",
        DeliveryReason.CONNECTION_LOST: "Conexão fechada sem resposta",
        DeliveryReason.CONNECT_TIMEOUT: "Servidor não atende",
        DeliveryReason.ANSWER_TIMEOUT: "Sem resposta a tempo",
        DeliveryReason.TLS_EXPIRED: "Certificado vencido",
        DeliveryReason.TLS_WRONG_NAME: "Certificado de outro domínio",
        DeliveryReason.TLS_UNTRUSTED: "Certificado não reconhecido",
        DeliveryReason.TLS_FAILED: "Falha na conexão segura",
        DeliveryReason.BAD_ANSWER: "Resposta que não é HTTP",
        DeliveryReason.INTERNAL_ERROR: "Problema do nosso lado",
    }
)

# What helps against one status, where that is known better than for all of them.
STATUS_ADVICE: Mapping[int, str] = MappingProxyType(
    {
        400: "O sistema que recebe não aceita o formato do evento: veja o que ele respondeu.",
        401: "Confira a autenticação: o campo Authorization do webhook, ou o que vai na URL.",
        403: "Confira a autenticação, e se o sistema que recebe não bloqueia nosso endereço.",
        404: "Confira o endereço: o servidor existe, mas não há nada neste caminho.",
        405: "Confira o endereço: o que está nele não aceita requisições POST.",
        413: "O sistema que recebe não aceita um evento deste tamanho: aumente o limite dele.",
        422: "O sistema que recebe não aceita os dados do evento: veja o que ele respondeu.",
        502: "O servidor está no ar, mas o sistema atrás dele não: verifique se está rodando.",
        503: "O sistema que recebe está fora do ar ou sobrecarregado: verifique-o.",
        504: "O sistema que recebe demora demais: responda antes de processar o evento.",
    }
)
