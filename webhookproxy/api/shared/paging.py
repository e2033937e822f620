"""Pages of lists: so many items, and a cursor that leads on."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from webhookproxy.api.shared.operations import Given
from webhookproxy.api.shared.problems import ApiProblem, Mistake
from webhookproxy.models.types import from_ms

R = TypeVar("R")

PAGE_MAX = 200


class PageQuery(Given):
    """How much of a list, and from where."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX, description="Itens por página.")] = 50
    cursor: Annotated[
        str, Field(max_length=200, description="O `next_cursor` da página anterior.")
    ] = ""

    def place(self, count: int) -> list[int] | None:
        """Return the `count` numbers in the cursor; None for the first page.

        Raises ApiProblem (422) for a cursor that is none of ours.
        """
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            text = base64.b64decode(padded, b"-_", validate=True).decode("ascii")
            numbers = [int(each) for each in text.split(".")]
        except ValueError:
            raise _bad_cursor() from None
        if len(numbers) != count or any(not 0 <= each < 10**18 for each in numbers):
            raise _bad_cursor()
        return numbers

    def after(self) -> int | None:
        """Return the number after which a list with one number goes on, see place."""
        numbers = self.place(1)
        return None if numbers is None else numbers[0]

    def after_moment(self) -> tuple[datetime, int] | None:
        """Return the time and the number after which a list by time goes on, see place."""
        numbers = self.place(2)
        if numbers is None:
            return None
        try:
            return from_ms(numbers[0]), numbers[1]
        except ValueError:
            raise _bad_cursor() from None

    def cut(
        self, rows: Sequence[R], place: Callable[[R], Sequence[int]]
    ) -> tuple[Sequence[R], str | None]:
        """Return the rows of the page, and the cursor for the next one.

        `rows` has one row more than the page if the list goes on; `place` returns a row's numbers.
        """
        shown = rows[: self.limit]
        return shown, cursor_of(*place(shown[-1])) if len(rows) > self.limit else None


class Page(BaseModel):
    """The base of a page; `next_cursor` is null on the last one."""

    next_cursor: str | None


def cursor_of(*numbers: int) -> str:
    """Return the cursor for the page after these numbers."""
    text = ".".join(map(str, numbers)).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _bad_cursor() -> ApiProblem:
    mistake = Mistake(
        path="cursor",
        message="Este cursor não vale: comece de novo, sem ele.",
        message_en="This cursor is not valid: begin again without it.",
    )
    return ApiProblem(422, [mistake])
