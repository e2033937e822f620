"""Why an event has no delivery to a webhook, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import NoDeliveryReason
from webhookproxy.reasons.words import NOTHING_TO_DO, Words

NO_DELIVERY_WORDS: Mapping[NoDeliveryReason, Words] = MappingProxyType(
    {
        NoDeliveryReason.NOT_ASKED: Words(
            english="The webhook does not ask for events of this name.",
            what="Não assinado: este webhook não pede este evento.",
            then="Ele recebe só os tipos de evento que foram escolhidos nele.",
            you="Para receber os próximos, marque este tipo de evento no webhook.",
        ),
        NoDeliveryReason.NOT_RECOVERED: Words(
            english="The webhook does not take recovered calls.",
            what="Esta ligação foi recuperada dos registros da 3C Plus, e este webhook não recebe "
            "ligações recuperadas.",
            then="As que chegam pela conexão são enviadas a ele normalmente.",
            you="Para receber as próximas, marque isso no webhook.",
        ),
        NoDeliveryReason.CREATED_LATER: Words(
            english="The webhook was created after this event.",
            what="O webhook foi criado depois deste evento: ele existe desde {since}.",
            then="Um webhook recebe o que chega depois que ele é criado.",
            you=NOTHING_TO_DO,
        ),
        NoDeliveryReason.ASKED_LATER: Words(
            english="The webhook did not ask for this event when it arrived.",
            what="Quando o evento chegou, este webhook não o pedia; como está agora, ele vale "
            "desde {since}.",
            then="Os próximos eventos deste tipo são enviados.",
            you=NOTHING_TO_DO,
        ),
        NoDeliveryReason.NOT_SENDABLE: Words(
            english="The event could not be kept whole, so it is not sent.",
            what="Este evento não pôde ser guardado inteiro, e por isso não é enviado.",
            then="Os outros eventos seguem normalmente.",
            you=NOTHING_TO_DO,
        ),
        NoDeliveryReason.MISSING: Words(
            english="There is no record of a delivery, although there should be one.",
            what="Este webhook pede este evento, mas não há registro da entrega, e deveria haver.",
            then="O evento não é enviado a ele.",
            you="Avise o suporte e informe o event_id.",
        ),
        NoDeliveryReason.WEBHOOK_REMOVED: Words(
            english="The webhooks that got this event were deleted, and their deliveries with it.",
            what="O webhook que pedia este evento foi excluído.",
            then="O registro das entregas dele foi apagado junto.",
            you=NOTHING_TO_DO,
        ),
        NoDeliveryReason.NO_WEBHOOK: Words(
            english="The company has no webhook.",
            what="Esta empresa não tem nenhum webhook.",
            then="Os eventos ficam guardados por pouco tempo, só para consulta.",
            you="Crie um webhook para receber os próximos.",
        ),
    }
)
