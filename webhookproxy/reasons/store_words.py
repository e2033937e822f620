"""The sentences about the database: whether it stores events, and whether the disk has space."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from webhookproxy.reasons.codes import DiskReason, StoringReason
from webhookproxy.reasons.words import NOTHING_TO_DO, Words, plural

_WAITS = (
    "Os eventos esperam na memória e são gravados assim que der; com a memória cheia, deixamos de "
    "ler os sockets. O que já foi gravado continua guardado."
)
_OLDEST = (
    "Os eventos mais antigos já encerrados são apagados antes do prazo; o que ainda espera envio "
    "fica."
)

STORING_WORDS: Mapping[StoringReason, Words] = MappingProxyType(
    {
        StoringReason.STORING: Words(
            english="Events are being stored.",
            what="Os eventos estão sendo gravados.",
            then="Cada evento é gravado antes de ser enviado.",
            you=NOTHING_TO_DO,
        ),
        StoringReason.DATABASE_REFUSES: Words(
            english="The database takes no events: it is locked, full, read-only or gone.",
            what="O servidor parou de gravar {since}: o banco de dados recusa os eventos.",
            then=_WAITS,
            you="Veja se o disco está cheio ou o banco de dados bloqueado ou somente para leitura.",
        ),
        StoringReason.DATABASE_GONE: Words(
            english="The database cannot be reached.",
            what="O servidor não está gravando: não há acesso ao banco de dados.",
            then=_WAITS,
            you="Veja se o servidor do banco de dados está no ar e se DATABASE_URL está certo.",
        ),
        StoringReason.NO_OWNER: Words(
            english="No server that receives events has been heard of for ten seconds.",
            what="O servidor parou de gravar {since}: quem recebe os eventos não dá sinal.",
            then="Outro servidor assume em segundos, se houver um; senão, os eventos se perdem.",
            you="Veja se o servidor está no ar e se o disco não está cheio.",
        ),
    }
)

DISK_WORDS: Mapping[DiskReason, Words] = MappingProxyType(
    {
        DiskReason.ENOUGH: Words(
            english="There is enough room for events.",
            what="Há espaço para os eventos.",
            then="Eles são guardados pelo prazo normal.",
            you=NOTHING_TO_DO,
        ),
        DiskReason.LIMIT_NEAR: Words(
            english="The database is near MAX_DATA_GB: the oldest finished events go early.",
            what="Os dados estão perto do limite deste servidor (MAX_DATA_GB).",
            then=_OLDEST,
            you="Aumente MAX_DATA_GB, ou diminua RETENTION_DAYS.",
        ),
        DiskReason.DISK_NEARLY_FULL: Words(
            english="The disk is nearly full: the oldest finished events go early.",
            what="O disco do servidor está quase cheio.",
            then=_OLDEST,
            you="Libere espaço no disco, ou diminua RETENTION_DAYS.",
        ),
    }
)

# For people who see only their own companies.
OTHERS_WITHOUT_OWNER = Words(
    english="No process owns the sockets of some companies.",
    what="Nenhum processo cuida da conexão de algumas empresas; o que cuidava parou {since}.",
    then="Outro processo assume em segundos, se houver um; senão, os eventos delas se perdem.",
    you="Veja se as suas estão conectadas; se não, fale com quem cuida do servidor.",
)


def some_without_owner(companies: int) -> Words:
    """Return the words for the time in which so many companies, and not all, have no owner."""
    many = plural(companies, "empresa", "empresas")
    return Words(
        english=f"No process owns the sockets of {companies} companies.",
        what=f"{many} sem conexão: nenhum processo cuida delas; o que cuidava parou {{since}}.",
        then="Outro processo assume em segundos, se houver um; senão, os eventos delas se perdem.",
        you="Veja em Processos qual parou, e inicie outro no lugar dele.",
    )
