"""The product without its search: as `wsgi` serves it, but the index is never filled."""

from gevent import monkey

monkey.patch_all()  # as in wsgi.py

# ruff: noqa: E402
from webhookproxy.search.index.indexer import Indexer


def _nothing(self: Indexer) -> bool:  # noqa: ARG001 - it stands in for the method
    return False


Indexer.step = _nothing  # type: ignore[method-assign]

from wsgi import app

__all__ = ["app"]
