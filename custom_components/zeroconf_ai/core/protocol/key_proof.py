"""Key proof: a provider proves that it knows a client's key, which neither side sends (docs/protocol.md, section 1).

Only generated keys may be used: key id and proof are public, so that a weak key could be found by an offline search.
"""

import base64
import binascii
import hashlib
import hmac
from ipaddress import IPv6Address, ip_address
import re

CHALLENGE_BYTES = 32
KEY_ID_BYTES = 12
GENERATED_PREFIX = "zai_"
_GENERATED = re.compile(rf"{GENERATED_PREFIX}[A-Za-z0-9_-]{{32}}")
_KEY_ID_CONTEXT = b"zai-kid"
_PROOF_CONTEXT = b"zai-proof-1"
_LENGTH_BYTES = 4


def is_generated(key: str) -> bool:
    """Whether a key has the form of a generated one: `zai_` and 190 random bits as 32 letters and digits.

    Keys of former versions, 192 random bits as base64url with `-` and `_` too, stay valid.
    """
    return _GENERATED.fullmatch(key) is not None


def digest(key: str) -> bytes:
    """SHA-256 of a key (32 bytes): the only form in which a server stores it, and the key of the proof's HMAC.

    Sufficient for keys with at least 128 random bits, which cannot be recovered from it. Accepts any text, also lone surrogates
    (bytes of a header or the command line that are not UTF-8).
    """
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def key_id(key_digest: bytes) -> bytes:
    """The public id by which a server finds the key (12 bytes)."""
    return hashlib.sha256(_KEY_ID_CONTEXT + key_digest).digest()[:KEY_ID_BYTES]


def prove(key_digest: bytes, challenge: bytes, provider_id: str, address: str, port: int) -> bytes:
    """The proof (32 bytes) for a challenge that reached `provider_id` at `address` and `port`.

    Address and port are those of the connection, so a proof relayed from another address is invalid. Raises ValueError for an
    `address` that is not an IP address.
    """
    fields = (_PROOF_CONTEXT, challenge, provider_id.encode(), _canonical(address).encode(), str(port).encode())
    message = b"".join(len(field).to_bytes(_LENGTH_BYTES, "big") + field for field in fields)
    return hmac.digest(key_digest, message, "sha256")


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str, size: int) -> bytes:
    """Decode a result of `encode` for `size` bytes. Raises ValueError for any other text."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as err:
        raise ValueError("not base64url") from err
    if len(raw) != size or encode(raw) != text:
        raise ValueError(f"not {size} bytes as base64url without padding")
    return raw


def _canonical(address: str) -> str:
    """The canonical text of an address: without a zone, which is local to a host; an IPv4-mapped address as IPv4."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.compressed
