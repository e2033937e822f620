"""The server with other times of recovery: gunicorn loads it in place of `wsgi`.

HURRIED has them in seconds: the three looks after a gap, and the pace of one company.
"""

from __future__ import annotations

import os

# Patches the process, so it is first.
from wsgi import app

# isort: split
from webhookproxy.listener import status
from webhookproxy.models.recovery import asking, recoveries
from webhookproxy.platform import pace, rest
from webhookproxy.recovery import progress, recovering

__all__ = ["app"]

*_looks, _pace = map(float, os.environ["HURRIED"].split(","))
for _module in (recoveries, asking, progress, status):
    _module.LOOKS_MS = tuple(round(each * 1000) for each in _looks)  # type: ignore[attr-defined]
pace.SECONDS = _pace
recovering.PAUSE_IDLE = min(recovering.PAUSE_IDLE, _looks[0])
progress.AGAIN_FIRST_MS = round(_pace * 2000)
progress.AGAIN_MOST_MS = round(_pace * 8000)
rest._AFTER_THROTTLED = _pace * 2
