"""The product without its search: what `wsgi` serves, but the index is never filled."""

from gevent import monkey

monkey.patch_all()  # as in wsgi.py

# ruff: noqa: E402
from webhookproxy.search.indexer import Indexer


def _nothing(_indexer: Indexer) -> bool:
    return False


Indexer.step = _nothing  # type: ignore[method-assign]

from wsgi import app

__all__ = ["app"]
