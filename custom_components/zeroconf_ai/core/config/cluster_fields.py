"""The section of a file about several brokers with one database: `cluster:`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..protocol.addresses import url_parts
from .connection_fields import resolve_secret
from .document import Value

KEYS = ("cluster",)
"""The keys read by this module."""
CLUSTER: Final = ("url", "secret")
LEAST_SECRET: Final = 32
"""Characters: as many as 128 random bits have in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How the brokers with one database reach each other."""

    url: str
    """The address at which the other brokers reach this broker, such as `http://10.0.0.7:8000`."""
    secret: str = field(repr=False)
    """The shared secret of all brokers of the cluster."""


def read_cluster(sections: Mapping[str, Value], environment: Mapping[str, str]) -> ClusterSettings | None:
    """Read `cluster:`; None if the file has no such section. Raises ConfigError, which never contains the secret."""
    if "cluster" not in sections:
        return None
    section = sections["cluster"]
    given = section.fields(CLUSTER)
    for needed in CLUSTER:
        if needed not in given:
            raise section.error(f"the cluster needs `{needed}:`.")
    url = given["url"].text().rstrip("/")
    parts = url_parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.path:
        raise given["url"].error("url must be where the other brokers reach this one, such as http://10.0.0.7:8000.")
    secret, missing = resolve_secret(given["secret"], environment)
    if secret is None:
        raise given["secret"].error(f"the variable {missing} is not set. Set it in the environment.")
    if len(secret) < LEAST_SECRET and not secret.startswith("${"):
        raise given["secret"].error(f"secret must have at least {LEAST_SECRET} characters. Make one: openssl rand -hex 32")
    return ClusterSettings(url, secret)


def cluster_schema() -> dict[str, Any]:
    """The JSON Schema of `cluster:`."""
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {"url": text, "secret": {**text, "minLength": LEAST_SECRET}},
        "required": list(CLUSTER),
        "additionalProperties": False,
    }
