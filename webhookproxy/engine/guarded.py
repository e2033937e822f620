"""Runs steps of the engine: whatever fails in one is said once, and tried again at the next."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.database.fence import Fenced
from webhookproxy.database.store import StoreUnavailable

logger = logging.getLogger(__name__)


class Guarded:
    """One loop's steps, and the trouble that the last one met."""

    def __init__(self, on_fenced: Callable[[], None]) -> None:
        self._on_fenced = on_fenced
        # The class of the error that the last step ended with: said once, not at every tick.
        self.trouble = ""

    def run(self, step: Callable[[], object]) -> None:
        """Run a step; raises nothing."""
        trouble = ""
        try:
            step()
        except (StoreUnavailable, SQLAlchemyError) as error:
            trouble = type(error).__name__
            if trouble != self.trouble:
                logger.warning(
                    "the engine waits for the database (%s): is it reachable, and was"
                    " `flask db upgrade` run?",
                    trouble,
                )
        except Fenced:
            self._on_fenced()
        except OSError as error:
            trouble = type(error).__name__
            if trouble != self.trouble:
                logger.error("cannot write %s: let this process write its folder", error.filename)
        except Exception as error:  # a bug in one step must not end the engine
            trouble = type(error).__name__
            if trouble != self.trouble:
                logger.exception("a step of the engine failed, and is tried again")
        self.trouble = trouble
