"""The REST of the played platform: `/api/v1/calls`, a call's recording, and `/api/v1/me`."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from webhookproxy.simulator.company import Company
from webhookproxy.simulator.records import BRASILIA, Oddities
from webhookproxy.simulator.server import Simulator
from webhookproxy.simulator.wire import Scope, Send

API = "/api/v1/"

_RECORDING = re.compile(f"{API}calls/([0-9A-Za-z_-]+)/recording")
_REQUIRED = ("per_page", "start_date", "end_date", "with_mailing")
Answer = tuple[int, Any]


class Rest:
    """Answers as the platform does, or oddly, if a command said so."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = {name: each[0] for name, each in parse_qs(scope["query_string"].decode()).items()}
        oddities = Oddities()
        company = self._company(headers)
        recording = _RECORDING.fullmatch(scope["path"])
        if recording and company is not None and company.records.has(recording[1]):
            await _send_recording(company, headers, send)
            return
        if company is None:
            status, found = _refused(401, "Unauthorized")
        elif scope["path"] == f"{API}calls":
            oddities = company.records.count_request()
            status, found = _calls(company, headers, query, oddities)
        elif scope["path"] == f"{API}me":
            status, found = _me(company, headers)
        else:
            status, found = _refused(404, "Not found")
        body = b"" if oddities.empty else json.dumps(found).encode()
        if oddities.cut:
            body = body[: len(body) // 2]
        fields = [(b"content-type", b"application/json")]
        if oddities.retry_after is not None:
            fields.append((b"retry-after", f"{oddities.retry_after:g}".encode()))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    def _company(self, headers: dict[str, str]) -> Company | None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        is_agent = "x-agent-id" in headers
        if not token or not self._simulator.accepts(token, is_agent=is_agent):
            return None
        company = self._simulator.company(token)
        return None if company.refused else company


async def _send_recording(company: Company, headers: dict[str, str], send: Send) -> None:
    status, fields, body = company.recordings.answer(headers.get("range", ""))
    fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def _calls(
    company: Company, headers: dict[str, str], query: dict[str, str], oddities: Oddities
) -> Answer:
    if oddities.status != 200:
        return _refused(oddities.status, "Too many requests")
    if "x-agent-id" in headers:
        return _refused(403, "Forbidden")
    if lacking := [name for name in _REQUIRED if name not in query]:
        return _refused(422, f"{', '.join(lacking)} is required")
    try:
        start, end = _moment(query["start_date"]), _moment(query["end_date"])
        page, per_page = int(query.get("page", "1")), int(query["per_page"])
    except ValueError:
        return _refused(422, "a parameter is wrong")
    # The last second is in it.
    found = company.records.listed(start, end.replace(microsecond=999_999), oddities)
    size = oddities.page_size or per_page
    return 200, {"status": 200, "data": found[(page - 1) * size : page * size]}


def _me(company: Company, headers: dict[str, str]) -> Answer:
    role = "agente" if "x-agent-id" in headers else company.records.oddities.role
    world = company.world.new_call()
    return 200, {
        "status": 200,
        "data": {
            "id": 1,
            "name": "Integração",
            "role": {"name": role},
            "company_id": int(world["company"]),
            "company": {"id": int(world["company"]), "name": "Empresa simulada"},
        },
    }


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BRASILIA)


def _refused(status: int, title: str) -> Answer:
    return status, {"status": status, "title": title, "detail": title}
