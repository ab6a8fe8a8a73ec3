"""Checks ID tokens (OpenID Connect Core, section 3.1.3.7) with Authlib and joserfc, of the extra `portal`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jws
from joserfc.errors import JoseError

from ...accounting.users.user_store import MAX_SUBJECT
from ...protocol.json import JSONDecodeError, loads
from .failures import Failure, SignInError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""Signatures that are accepted: by a private key of the OpenID provider. Never `none`, and no HMAC, whose key others know too."""
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The type of key of an algorithm, by its first letters (RFC 7518, section 3.1; RFC 9864)."""
LEEWAY_SECONDS: Final = 60
"""Maximum difference between the clocks of the two servers."""
_RSA_CHARACTERS: Final = 342
"""The length of the modulus of an RSA key with 2048 bits, in base64url. Shorter keys are refused (RFC 7518, section 3.3)."""
_MAX_TOKEN: Final = 64 * 1024


class UnknownKeyError(SignInError):
    """The OpenID provider's keys that were read do not include the key of an ID token: it may have a new one."""

    def __init__(self) -> None:
        """The person is told that the answer is invalid, if reading the keys again does not help."""
        super().__init__(Failure.INVALID, "the ID token is signed by a key that the OpenID provider does not publish")


def checked_claims(
    token: object, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str, access_token: str | None
) -> Mapping[str, Any]:
    """The claims of a valid ID token. `keys` are the provider's JSON Web Keys.

    Raises UnknownKeyError if none of them may have signed it, SignInError if it is invalid for any other reason.
    """
    if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN:
        raise _invalid("it sent no ID token")

    def find(found: Any) -> jwk.Key:
        return _key(found.headers(), keys)

    try:
        signed = jws.deserialize_compact(token, find, algorithms=list(ALGORITHMS))
        claims = loads(signed.payload or b"")
        if not isinstance(claims, dict):
            raise _invalid("the ID token is no JSON object")
        _check_types(claims)
        options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
        params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
        CodeIDToken(claims, signed.headers(), options, params).validate(leeway=LEEWAY_SECONDS)
    except JSONDecodeError:
        raise _invalid("the ID token is not JSON") from None
    except (JoseError, ValueError, TypeError, KeyError) as err:
        # Their texts may repeat claims; the names of their types say enough.
        raise _invalid(f"the ID token is not valid ({_reason(err)})") from None
    return claims


def _key(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> jwk.Key:
    """The public key for a header, by its type, `use`, `alg` and `kid`. Raises UnknownKeyError, JoseError."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise _invalid(f"the ID token is not signed by one of {', '.join(ALGORITHMS)}")
    wanted = _KEY_TYPES[str(algorithm)[:2]]
    fitting = [
        key
        for key in keys
        if key.get("kty") == wanted and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
    ]
    if kid is not None:
        fitting = [key for key in fitting if key.get("kid") == kid]
    if not fitting:
        raise UnknownKeyError
    if len(fitting) > 1:
        raise _invalid("the ID token does not say which of several keys has signed it")
    key = dict(fitting[0])
    if wanted == "RSA" and len(str(key.get("n", "")).rstrip("=")) < _RSA_CHARACTERS:
        raise _invalid("the key of the ID token has fewer than 2048 bits")
    return jwk.import_key(key, wanted)  # type: ignore[call-overload,no-any-return]  # the type is one of its literals


def _check_types(claims: Mapping[str, Any]) -> None:
    """Raise SignInError unless the claims that identify a person have the types of the specification (section 2)."""
    subject, audience = claims.get("sub"), claims.get("aud")
    if not isinstance(claims.get("iss"), str):
        raise _invalid("'iss' of the ID token is no text")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise _invalid(f"'sub' of the ID token is no text of at most {MAX_SUBJECT} characters")
    if not isinstance(audience, str) and not (isinstance(audience, list) and all(isinstance(one, str) for one in audience)):
        raise _invalid("'aud' of the ID token is no text and no list of texts")


def _reason(err: Exception) -> str:
    claim = getattr(err, "claim", None)
    return f"{type(err).__name__}: {claim}" if isinstance(claim, str) and claim.isidentifier() else type(err).__name__


def _invalid(what: str) -> SignInError:
    return SignInError(Failure.INVALID, what)
