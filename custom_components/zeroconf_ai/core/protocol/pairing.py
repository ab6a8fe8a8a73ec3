"""Pairing by a one-time code that a person types, and digits that a person compares on two screens (docs/protocol.md, section 4).

A code is short, and a client that types it does not know the server's certificate yet. So the code is never sent: both sides run
SPAKE2 (PyPI `spake2`, of the magic-wormhole project) over it. A third party between them, or in the place of one of them, can
try one code in each run, and learns nothing by which it could try other codes offline. What both sides are bound to (`own` and
`peer`: SHA-256 of the client's and of the server's public key or certificate) is part of the exchange: if the two sides do not
see the same, the proofs are wrong. No I/O. The methods of `Pairing` take some milliseconds of CPU: call them in an executor.
"""

import hashlib
import hmac
import re
import secrets
from typing import override
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: without letters that look like digits (I, L, O), and without U."""
CODE_CHARACTERS = 8
"""40 bits, of which a third party can try three (`one_time_codes.TRIES`)."""
CODE_SECONDS = 300
MAX_TYPED = 64
"""Characters of a typed code, with its separators."""
_GROUP = 4
_MISREAD = str.maketrans("OIL", "011")
_SEPARATORS = re.compile(r"[\s._\-\u2010-\u2015\u2212]+")
"""Spaces, full stops, underscores, and the hyphens and dashes that programs make of a hyphen."""

IDENTITY_BYTES = 32
MESSAGE_BYTES = 33
"""The letter of a side and a point of Ed25519."""
PROOF_BYTES = 32
NONCE_BYTES = 32
_CLIENT, _SERVER = b"client", b"server"
_PROOF_CONTEXT = b"zai-pair-1"
_COMMITMENT_CONTEXT = b"zai-commit-1"
_DIGITS_CONTEXT = b"zai-digits-1"
_LENGTH_BYTES = 4
DIGITS = 6


class CodeError(ValueError):
    """A text that cannot be a one-time code. The message gives the reason and never the text."""


class PairingError(ValueError):
    """A message of the other side is malformed, or its own message was sent back to it."""


class WrongCodeError(PairingError):
    """The other side has another code, or sees other public keys or certificates: a third party is in between."""

    def __init__(self) -> None:
        super().__init__("the one-time code is wrong, or another machine answers in place of the right one")


def new_code() -> str:
    """A random code as shown: `XXXX-XXXX`."""
    return shown("".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARACTERS)))


def shown(code: str) -> str:
    """The 8 characters of a code in two groups."""
    return f"{code[:_GROUP]}-{code[_GROUP:]}"


def read_code(text: str) -> str:
    """A typed code as shown. Case, separators, and o for 0, i and l for 1 do not matter. Raises CodeError."""
    if len(text) > MAX_TYPED:
        raise CodeError("it is too long")
    code = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_MISREAD)
    if len(code) != CODE_CHARACTERS or not set(code) <= set(ALPHABET):
        raise CodeError(f"a one-time code has {CODE_CHARACTERS} letters and digits, such as 3F7A-9KMT")
    return shown(code)


class Pairing:
    """One side of one run. `message` is sent to the other side; after `finish`, `proof` is."""

    def __init__(self, code: str, role: bytes, client: bytes, server: bytes) -> None:
        """Use `client` or `server` instead. Raises CodeError, and ValueError for identities that are not 32 bytes long."""
        # Imported here, because most programs pair nothing.
        from spake2 import SPAKE2_A, SPAKE2_B  # noqa: PLC0415

        if len(client) != IDENTITY_BYTES or len(server) != IDENTITY_BYTES:
            raise ValueError(f"identities have {IDENTITY_BYTES} bytes")
        side = SPAKE2_A if role == _CLIENT else SPAKE2_B
        self._role = role
        self._identities = (client, server)
        self._exchange = side(read_code(code).encode(), idA=client, idB=server)
        self._key: bytes | None = None
        self.message: bytes = self._exchange.start()
        """The message for the other side (33 bytes)."""

    @classmethod
    def client(cls, code: str, own: bytes, peer: bytes) -> "Pairing":
        """The side that typed the code. `own` and `peer`: 32 bytes of what each side is bound to. Raises CodeError."""
        return cls(code, _CLIENT, own, peer)

    @classmethod
    def server(cls, code: str, own: bytes, peer: bytes) -> "Pairing":
        """The side that showed the code. `own` and `peer` as for `client`, each from its own side. Raises CodeError."""
        return cls(code, _SERVER, peer, own)

    @override
    def __repr__(self) -> str:
        """Without the code and the key."""
        return f"<Pairing of the {self._role.decode()}>"

    def finish(self, peer_message: bytes) -> None:
        """Take the message of the other side, once. Raises PairingError."""
        from spake2 import SPAKEError  # noqa: PLC0415 - as above
        from spake2.ed25519_basic import NotOnCurve  # noqa: PLC0415 - as above

        if len(peer_message) != MESSAGE_BYTES:
            raise PairingError(f"a pairing message has {MESSAGE_BYTES} bytes")
        try:
            self._key = self._exchange.finish(peer_message)
        except (SPAKEError, NotOnCurve, ValueError, AssertionError):  # the library's checks of sides and points
            raise PairingError("the pairing message is not valid") from None

    @property
    def proof(self) -> bytes:
        """Proves the code to the other side (32 bytes). Raises PairingError before `finish`."""
        return self._proof_of(self._role)

    def check(self, peer_proof: bytes) -> None:
        """Raise WrongCodeError unless the other side has the same code and sees the same identities."""
        other = _SERVER if self._role == _CLIENT else _CLIENT
        if not hmac.compare_digest(self._proof_of(other), peer_proof):
            raise WrongCodeError

    def _proof_of(self, role: bytes) -> bytes:
        if self._key is None:
            raise PairingError("the message of the other side is missing")
        return hmac.digest(self._key, _joined(_PROOF_CONTEXT, role, *self._identities), "sha256")


def new_nonce() -> bytes:
    """32 random bytes for a comparison."""
    return secrets.token_bytes(NONCE_BYTES)


def commitment(nonce: bytes) -> bytes:
    """What a client sends of its nonce (32 bytes) before it knows the server's."""
    return hashlib.sha256(_joined(_COMMITMENT_CONTEXT, nonce)).digest()


def comparison_digits(client_nonce: bytes, server_nonce: bytes, client: bytes, server: bytes) -> str:
    """Six digits that both screens show; they differ if the two sides do not see the same `client` and `server`.

    `client` and `server` as for `Pairing`. The client commits itself to its nonce before it gets the server's, and reveals it
    afterwards: so a third party in between can try no keys until the digits agree (Vaudenay, Crypto 2005), and guesses one
    time in a million.
    """
    digest = hashlib.sha256(_joined(_DIGITS_CONTEXT, client_nonce, server_nonce, client, server)).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}}"


def _joined(*fields: bytes) -> bytes:
    """Each field with its length before it (4 bytes, big-endian)."""
    return b"".join(len(field).to_bytes(_LENGTH_BYTES, "big") + field for field in fields)
