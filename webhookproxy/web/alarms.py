"""What is wrong with the whole, shown above every page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, g
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.engine import Engine
from webhookproxy.extensions import db
from webhookproxy.standing import read_owner


@dataclass(frozen=True, slots=True)
class Alarm:
    """A heading, and what it means and what to do."""

    heading: str
    advice: str


_NOT_STORING = Alarm(
    "Não está gravando.",
    "O banco de dados não aceita gravações. Os eventos que chegam esperam na memória e são "
    "gravados assim que ele voltar: não reinicie o serviço. Veja se o disco está cheio e se o "
    "banco de dados está no ar. As páginas continuam abrindo, mas nada pode ser salvo.",
)
_NO_OWNER = Alarm(
    "Nenhum processo está conectado à 3C Plus.",
    "O serviço que mantém as conexões está parado ou reiniciando, e os eventos deste intervalo "
    "não chegam. Se isto durar mais de um minuto, reinicie o servidor.",
)


def current() -> list[Alarm]:
    """The alarms that hold now; none on a page that nobody logged in to."""
    if g.get("account") is None:
        return []
    engine: Engine | None = current_app.extensions.get("engine")
    if engine is not None and not engine.health().storing:
        return [_NOT_STORING]
    try:
        owner = read_owner(db.session())
    except SQLAlchemyError:
        return [_NOT_STORING]
    return [] if owner.alive else [_NO_OWNER]
