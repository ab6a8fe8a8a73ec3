"""The health check of the container image: exit code 0 if the server with this state folder answers, else 1.

The running server's file names its port. A server without an online provider is healthy: a restart would not bring
the provider back. It runs every 30 seconds, so it imports little.
"""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
import ssl
import sys
from typing import Final
from urllib.parse import urlsplit

from ..protocol import json
from .running import RunningServer, running_servers

TIMEOUT: Final = 4.0
"""Seconds for connecting and for each read; less than the five that the image allows."""
_MAX_BYTES: Final = 64 * 1024


def main() -> int:
    """The exit code."""
    return 0 if any(map(_is_alive, running_servers())) else 1


def _is_alive(server: RunningServer) -> bool:
    where = urlsplit(server.url)
    port, path, by_tls = where.port or 80, f"{where.path}/health", where.scheme == "https"
    # The loopback address first: the allowed networks need not contain the container's own address.
    return any(_answerer(host, port, path, by_tls=by_tls) == server.id for host in ("127.0.0.1", where.hostname or ""))


def _answerer(host: str, port: int, path: str, *, by_tls: bool) -> str | None:
    """The ID of the server at this address; None if no server answers. Nothing secret is sent, so no certificate is verified."""
    if by_tls:
        context = ssl._create_unverified_context()
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        found = json.loads(connection.getresponse().read(_MAX_BYTES))
        return str(found["id"])
    except (OSError, HTTPException, json.JSONDecodeError, LookupError, TypeError):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
