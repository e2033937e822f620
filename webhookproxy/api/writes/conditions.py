"""The headers by which a write happens once, and never over a newer version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from flask import request
from pydantic import Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webhookproxy.api.shared.access import caller
from webhookproxy.api.shared.operations import Given
from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.api.shared.writing import write
from webhookproxy.models.installation.submissions import KeyReused, once_with_key


class OnceHeader(Given):
    """The header of what creates."""

    idempotency_key: Annotated[
        str,
        Field(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="O mesmo pedido com a mesma chave, em 24 horas, cria uma vez só.",
        ),
    ] = ""

    def create(self, act: Callable[[Session], int], *company_ids: int) -> int:
        """Create what `act` creates, and return its number; that of the first time, if it was.

        Raises ApiProblem if the key came before with another request.
        """
        if not self.idempotency_key:
            return write(act, *company_ids)
        # Another user's key is another one.
        key = f"api {caller().user_id} {self.idempotency_key}"
        content = f"{request.method} {request.path} {request.get_data(as_text=True)}"

        def job(session: Session) -> int:
            return once_with_key(session, key, content, lambda: act(session))[0]

        try:
            return write(job, *company_ids)
        except KeyReused:
            words = (
                "Esta Idempotency-Key já veio com outro pedido: use uma nova para cada pedido.",
                "This Idempotency-Key came with another request: use a new one for each request.",
            )
            raise ApiProblem(422, words=words) from None
        except IntegrityError:
            # Another process stored the same key at the same moment.
            raise ApiProblem(409) from None


class _Newer(Exception):
    """The row is another version than the caller has seen."""


class MatchHeader(Given):
    """The header of what edits and deletes."""

    if_match: Annotated[
        str,
        Field(
            alias="If-Match",
            max_length=100,
            description="O ETag que você leu: se outra pessoa salvou depois, nada muda (412).",
        ),
    ] = ""

    def check(self, row: Any) -> None:
        """Raise an error, which `write` makes a problem of, if the row is another version."""
        asked = self.if_match.strip()
        if asked not in ("", "*", etag(row)):
            raise _Newer

    def write(self, job: Callable[[Session], None], *company_ids: int) -> None:
        """Write. Raises ApiProblem if the job's check failed."""
        try:
            write(job, *company_ids)
        except _Newer:
            raise ApiProblem(412) from None


def etag(row: Any) -> str:
    """Return the ETag of a company or a webhook: the version of its settings."""
    return f'"{row.version}"'
