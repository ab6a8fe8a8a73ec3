"""The secrets of API keys."""

import secrets
import string

from ...protocol.key_proof import GENERATED_PREFIX

SECRET_LIMIT = 256
"""Characters; longer secrets are rejected without hashing."""
PREFIX_LENGTH = 8
"""Characters of a secret shown to distinguish keys."""
_BASE62 = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32


def new_secret() -> str:
    """Generate a secret: `zai_` and 190 random bits as 32 letters and digits, all of which a double click selects."""
    return GENERATED_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
