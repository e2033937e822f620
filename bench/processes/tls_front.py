"""TLS in front of a server on loopback, as 3C Plus has it.

`python -m bench.processes.tls_front PORT FOLDER` prints where it listens, makes a certificate
authority and writes it to FOLDER/roots.pem. A program that is started with SSL_CERT_FILE set to
that file trusts it.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import trustme

# A thousand clients may connect at once.
_BACKLOG = 2048


async def main(port: int, folder: Path) -> None:
    """Serve until the process is ended."""
    front = await asyncio.start_server(
        partial(_join, port), "127.0.0.1", 0, ssl=_context(folder), backlog=_BACKLOG
    )
    host, chosen = front.sockets[0].getsockname()
    print(f"tls listening on https://{host}:{chosen}", flush=True)
    await front.serve_forever()


def _context(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "roots.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def _join(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass all bytes on between a client and the server."""
    with suppress(OSError, ssl.SSLError):
        behind = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, behind[1]), _pass_on(behind[0], writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
