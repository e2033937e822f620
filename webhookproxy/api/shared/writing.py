"""The writes of operations: refusals and conflicts become problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.engine.writing import write_and_tell
from webhookproxy.rules import Refused

T = TypeVar("T")


def write(job: Callable[[Session], T], *company_ids: int) -> T:
    """Return the job's value after its commit. Raises ApiProblem if nothing was written."""
    try:
        return write_and_tell(current_app, job, *company_ids)
    except Refused as refused:
        raise ApiProblem.of(refused) from None
    except StaleDataError:
        raise ApiProblem(409) from None
