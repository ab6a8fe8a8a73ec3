"""Whether an address accepts connections."""

import asyncio
from contextlib import suppress


async def accepts_connections(host: str, port: int, seconds: float) -> bool:
    """Whether a TCP connection to a host and port succeeds within some seconds. It is closed again without sending anything."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
