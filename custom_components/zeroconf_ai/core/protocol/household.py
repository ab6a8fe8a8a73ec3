"""The household token: providers and clients that know one passphrase need no API key (docs/protocol.md, section 4).

A provider advertises its token in `tok`, sealed with a key that only the household knows. The seal is bound to the provider's id
and to an hour, so that a copied or old advertisement opens as what it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, override
import unicodedata

from . import key_proof

if TYPE_CHECKING:
    pass

PERIOD_SECONDS = 3600
OVERLAP_SECONDS = 600
"""How long a token stays valid after its hour."""
CALLER_ID = "household"
"""The key id of requests with a household token: in the ledger, and for limits."""
SCOPES = frozenset({"chat", "models", "status"})
"""What a household token may do: chat, and see the models and the load that choosing a provider needs."""

DEFAULT_NAME = "home"
MAX_NAME = 32
MAX_CODE = 200
"""Characters of an entered code, with its separators."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32, without letters that look like digits or like one another."""
_MISREAD = str.maketrans("oil", "011")
_SEPARATORS = re.compile(r"[\s\u2010-\u2015\u2212-]")
"""White space and hyphens, also the dashes that editors and messengers put in their place."""
_WIDTHLESS = re.compile(r"[\u200b-\u200f\u2060\ufeff]")
"""Characters without a width, which are copied with a text."""
_QUOTED = re.compile(r"^[\s\"'`\u2018-\u201f]+|[\s\"'`\u2018-\u201f]+$")
"""White space and quotation marks around a text."""
_RANDOM_CHARACTERS = 26
"""130 bits: captured advertisements can be guessed at offline."""
_CHECK_CHARACTERS = 2
_GROUP = 4
_CHECK_CONTEXT = b"zai-household-check"
_NAME = re.compile(r"\w(?:[\w .'-]*\w)?")

_SALT = b"zai-household-1"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**17, 8, 1
_SCRYPT_MEMORY = 192 * 1024 * 1024
"""The limit for OpenSSL; the parameters need 128 MiB."""
_KEY_BYTES = 32

_NONCE_BYTES = 12
_TAG_BYTES = 16
_EXPIRY_BYTES = 8
_TOKEN_CHARACTERS = 36
_SEALED_BYTES = _NONCE_BYTES + _EXPIRY_BYTES + _TOKEN_CHARACTERS + _TAG_BYTES
_SEAL_CONTEXT = b"zai-tok-1"
_LENGTH_BYTES = 4

_PAST_PERIODS = 7 * 24
_SOON = (0, -1, 1)
"""The hours in which a valid token was sealed, from the present one: now, within the overlap, by a clock that is ahead."""


class HouseholdError(ValueError):
    """A text that is no household code; the message gives the reason and never the text."""


class SealError(ValueError):
    """A sealed token that cannot be used; the message gives the reason."""


class WrongPassphraseError(SealError):
    """No hour of the last week opens it: another passphrase, another provider's, or damaged."""

    def __init__(self) -> None:
        super().__init__("it belongs to another household: the household code is not the same on both sides")


class StaleTokenError(SealError):
    """It opens, but its time is over: an old recording, or a clock that is wrong."""

    def __init__(self, hours: int) -> None:
        """`hours`: how long ago its period was."""
        super().__init__(
            f"its household token is {hours} h old: the clock of one of the two machines is wrong, "
            "or an old advertisement is being repeated"
        )
        self.hours = hours


@dataclass(frozen=True, slots=True)
class HouseholdCode:
    """The name of a household and its generated passphrase, which one field holds: `home:1a2b-3c4d-…`."""

    name: str
    passphrase: str = field(repr=False)
    """28 characters of `_ALPHABET`, without separators."""

    @classmethod
    def generate(cls, name: str = DEFAULT_NAME) -> "HouseholdCode":
        """A new code. Raises HouseholdError for an invalid name."""
        random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
        return cls(_checked_name(name), random + _check(random))

    @classmethod
    def parse(cls, text: str) -> "HouseholdCode":
        """Read an entered code; case, spaces and hyphens of the passphrase do not matter, nor whether an o is a 0.

        Raises HouseholdError for any text that was not generated, also one with a mistyped character.
        """
        if len(text) > MAX_CODE:
            raise HouseholdError("it is too long")
        name, colon, rest = _QUOTED.sub("", _WIDTHLESS.sub("", text)).replace("\uff1a", ":").rpartition(":")
        passphrase = _SEPARATORS.sub("", unicodedata.normalize("NFKC", rest)).lower().translate(_MISREAD)
        if len(passphrase) != _RANDOM_CHARACTERS + _CHECK_CHARACTERS or not set(passphrase) <= set(_ALPHABET):
            raise HouseholdError("it is not a generated code, which looks like home:1a2b-3c4d-… with seven groups of four")
        if passphrase[_RANDOM_CHARACTERS:] != _check(passphrase[:_RANDOM_CHARACTERS]):
            raise HouseholdError("a character of it is wrong or missing")
        return cls(_checked_name(name if colon else DEFAULT_NAME), passphrase)

    @property
    def text(self) -> str:
        """The code as shown and entered."""
        groups = (self.passphrase[start : start + _GROUP] for start in range(0, len(self.passphrase), _GROUP))
        return f"{self.name}:{'-'.join(groups)}"


@dataclass(frozen=True, slots=True)
class OpenedToken:
    """The content of a sealed token."""

    token: str = field(repr=False)
    expires: float
    """Seconds since the epoch."""


class HouseholdKey:
    """Seals and opens tokens with the key of a household. The passphrase is not kept."""

    def __init__(self, code: HouseholdCode) -> None:
        """Takes about 0.3 s and 128 MiB: call it in a thread."""
        # Imported here, because most programs have no household.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        raw = hashlib.scrypt(
            code.passphrase.encode(),
            salt=_SALT + code.name.encode(),
            n=_SCRYPT_N,
            r=_SCRYPT_R,
            p=_SCRYPT_P,
            maxmem=_SCRYPT_MEMORY,
            dklen=_KEY_BYTES,
        )
        self._cipher: AESGCM = AESGCM(raw)
        self.name = code.name

    @override
    def __repr__(self) -> str:
        """Without the key."""
        return f"<HouseholdKey of {self.name}>"

    def seal(self, token: str, provider_id: str, period: int) -> str:
        """The TXT value `tok` (96 characters) of a token of `new_token` for one hour."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        payload = int(expiry(period)).to_bytes(_EXPIRY_BYTES, "big") + token.encode("ascii")
        return key_proof.encode(nonce + self._cipher.encrypt(nonce, payload, _associated(provider_id, period)))

    def open(self, sealed: str, provider_id: str, now: float) -> OpenedToken:
        """Open the `tok` of a provider. `now`: seconds since the epoch.

        Raises WrongPassphraseError, or StaleTokenError for a token of the last week that has expired.
        """
        try:
            raw = key_proof.decode(sealed, _SEALED_BYTES)
        except ValueError:
            raise WrongPassphraseError from None
        for period in _periods(now):
            if (payload := self._decrypt(raw, provider_id, period)) is None:
                continue
            token = payload[_EXPIRY_BYTES:].decode("ascii", errors="replace")
            expires = int.from_bytes(payload[:_EXPIRY_BYTES], "big")
            if not key_proof.is_generated(token) or expires > expiry(period):
                raise WrongPassphraseError
            if now >= expires:
                raise StaleTokenError(period_of(now) - period)
            return OpenedToken(token, float(expires))
        raise WrongPassphraseError

    def _decrypt(self, raw: bytes, provider_id: str, period: int) -> bytes | None:
        """The payload; None if another key, id or hour sealed it."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _associated(provider_id, period))
        except InvalidTag:
            return None


def new_token() -> str:
    """A token: a generated API key, so that the proof of the key works with it."""
    return key_proof.GENERATED_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_TOKEN_CHARACTERS - 4))


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def period_of(now: float) -> int:
    """The number of an hour since the epoch."""
    return int(now // PERIOD_SECONDS)


def expiry(period: int) -> float:
    """When the token of an hour stops being valid, in seconds since the epoch."""
    return float((period + 1) * PERIOD_SECONDS + OVERLAP_SECONDS)


def _periods(now: float) -> Iterator[int]:
    """The hours to try, the likely ones first: the next one, and those of the last week."""
    current = period_of(now)
    for offset in _SOON:
        yield current + offset
    for age in range(2, _PAST_PERIODS + 1):
        yield current - age


def _associated(provider_id: str, period: int) -> bytes:
    """The associated data of the seal: length-prefixed fields, as in a key proof."""
    fields = (_SEAL_CONTEXT, provider_id.encode(errors="surrogatepass"), str(period).encode())
    return b"".join(len(one).to_bytes(_LENGTH_BYTES, "big") + one for one in fields)


def _check(random: str) -> str:
    """Two characters that tell a mistyped code from a generated one."""
    digest = hashlib.sha256(_CHECK_CONTEXT + random.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_CHECK_CHARACTERS])


def _checked_name(name: str) -> str:
    """The name in one spelling, so that both sides derive the same key. Raises HouseholdError."""
    found = " ".join(unicodedata.normalize("NFC", name).casefold().split())
    if not 0 < len(found) <= MAX_NAME or _NAME.fullmatch(found) is None:
        raise HouseholdError(f"the name before the colon must have 1 to {MAX_NAME} letters and digits")
    return found
