"""Error pages: what went wrong, and where to go next."""

from __future__ import annotations

import logging
from math import ceil

from flask import Flask, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, SecurityError, TooManyRequests
from werkzeug.wrappers import Response

from webhookproxy.database.store import StoreUnavailable
from webhookproxy.logs.redaction import hide_typed
from webhookproxy.web.shared.drafts import SECRET_FIELDS

logger = logging.getLogger(__name__)

# By status: the heading, and what to do.
_WORDS = {
    400: (
        "Não entendemos este pedido",
        (
            "O formulário pode ter ficado aberto por tempo demais, ou o navegador não guarda "
            "cookies. Volte, atualize a página e envie de novo."
        ),
    ),
    404: (
        "Página não encontrada",
        (
            "O endereço pode estar errado, o item pode ter sido excluído, ou seu usuário não tem "
            "acesso a ele. Peça acesso a um administrador, ou volte ao painel."
        ),
    ),
    405: ("Este endereço não abre assim", "Volte ao painel e use os botões da página."),
    408: (
        "O envio demorou demais",
        "O formulário não chegou inteiro em 15 segundos. Veja a conexão e envie de novo.",
    ),
    413: (
        "O envio é grande demais",
        (
            "Um formulário pode ter até 1 MB e 2.000 campos, e 16 KB antes de entrar. Diminua o "
            "que foi colado e envie de novo."
        ),
    ),
    429: ("Muitas tentativas em pouco tempo", "Espere um minuto e tente de novo."),
    503: (
        "Não está gravando",
        (
            "O banco de dados não aceita gravações agora, e nada do que você pediu foi feito. Os "
            "eventos que chegam esperam na memória. Tente de novo em instantes; se continuar, veja "
            "se o disco está cheio e se o banco de dados está no ar."
        ),
    ),
}
_OTHER = (
    "Algo deu errado do nosso lado",
    "O erro ficou registrado no log do servidor. Tente de novo; se continuar, avise o suporte.",
)
_OTHER_HOST = (
    "Este servidor não atende por este nome. Use o endereço combinado; se for este, inclua-o em "
    "PUBLIC_URL ou TRUSTED_HOSTS e reinicie.\n"
)


def init_app(app: Flask) -> None:
    """Give every error a page without the exception's text, and hide what was typed from logs."""
    app.before_request(_hide_what_is_typed)
    app.teardown_request(lambda _error: hide_typed(()))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StoreUnavailable, lambda _error: page(503))
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(Exception, _unexpected)


def _hide_what_is_typed() -> None:
    fields = request.form.items(multi=True)
    secrets = [text for name, text in fields if name in SECRET_FIELDS]
    # What is searched for is often a person's telephone or name.
    hide_typed(secrets + request.args.getlist("busca"))


def page(status: int, minutes: int = 1) -> Response:
    """Return the page for a status, without reading the database."""
    heading, advice = _WORDS.get(status, _OTHER)
    if status == 429 and minutes > 1:
        advice = f"Espere {minutes} minutos e tente de novo."
    body = render_template("error.html", heading=heading, advice=advice, status=status)
    return Response(body, status, mimetype="text/html")


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        # For example a redirect to the address with a slash at its end.
        return error.get_response()
    if isinstance(error, SecurityError):
        # For another host no address can be built, and so no page.
        return Response(_OTHER_HOST, 400, mimetype="text/plain")
    # Our limits say seconds; Werkzeug allows dates too.
    wait = error.retry_after if isinstance(error, TooManyRequests) else None
    answer = page(error.code, ceil(wait / 60) if isinstance(wait, int) else 1)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _database(error: SQLAlchemyError) -> Response:
    logger.error("a page could not read the database: %s", type(error).__name__)
    return page(503)


def _unexpected(error: Exception) -> Response:
    logger.error("a page failed: %s", type(error).__name__, exc_info=error)
    return page(500)
