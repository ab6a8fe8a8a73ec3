"""The household code, and tokens that are sealed with it."""

import base64

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol import household
from zeroconf_ai.protocol.household import (
    HouseholdCode,
    HouseholdError,
    HouseholdKey,
    SealError,
    StaleTokenError,
    WrongPassphraseError,
    expiry,
    new_token,
    period_of,
)

EXAMPLE = "home:0123-4567-89ab-cdef-ghjk-mnpq-rsec"
NOW = 1_900_000_000.0
PERIOD = period_of(NOW)
START = PERIOD * 3600.0


@pytest.fixture(scope="module")
def key() -> HouseholdKey:
    return HouseholdKey(HouseholdCode.parse(EXAMPLE))


@pytest.fixture(scope="module")
def other() -> HouseholdKey:
    return HouseholdKey(HouseholdCode.generate())


def test_household_code_has_130_random_bits_and_is_read_as_written() -> None:
    codes = {HouseholdCode.generate("Müller 2").text for _ in range(50)}
    assert len(codes) == 50
    for text in codes:
        assert len(text.partition(":")[2].replace("-", "")) == 28
        assert HouseholdCode.parse(text).text == text
        assert text.startswith("müller 2:")


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE.upper(),
        EXAMPLE.replace("-", " "),
        EXAMPLE.replace("-", ""),
        f"  {EXAMPLE}\n",
        EXAMPLE.removeprefix("home:"),
        EXAMPLE.replace("0123", "O1 23"),
        EXAMPLE.replace("0123", "0l23"),
    ],
)
def test_household_code_that_a_person_typed_is_the_same(text: str) -> None:
    assert HouseholdCode.parse(text).text == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "correct horse battery staple",
        EXAMPLE[:-1],
        EXAMPLE + "0",
        EXAMPLE.replace("4567", "4576"),
        "\n:" + EXAMPLE[5:],
        f"{'x' * 33}:{EXAMPLE[5:]}",
        "x" * 100_000,
        "home:" + "ü" * 28,
    ],
)
def test_household_code_that_was_not_generated_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(HouseholdError) as caught:
        HouseholdCode.parse(text)
    assert "4567" not in str(caught.value)
    assert "4576" not in str(caught.value)


@given(position=st.integers(0, 27), letter=st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_household_code_with_a_mistyped_character_is_rarely_accepted(position: int, letter: str) -> None:
    digits = EXAMPLE.partition(":")[2].replace("-", "")
    typed = digits[:position] + letter + digits[position + 1 :]
    try:
        assert HouseholdCode.parse(typed).passphrase == typed
    except HouseholdError:
        assert typed != digits


def test_household_key_is_the_one_that_the_protocol_names(key: HouseholdKey) -> None:
    """Key and seal by another implementation: scrypt with N 2^17, r 8, p 1 and the name in the salt, and AES-256-GCM."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

    raw = Scrypt(salt=b"zai-household-1home", length=32, n=2**17, r=8, p=1).derive(b"0123456789abcdefghjkmnpqrsec")
    sealed = base64.urlsafe_b64decode(key.seal(token := new_token(), "an-id", PERIOD))
    number = str(PERIOD).encode()
    associated = b"\0\0\0\x09zai-tok-1\0\0\0\x05an-id" + len(number).to_bytes(4, "big") + number
    payload = AESGCM(raw).decrypt(sealed[:12], sealed[12:], associated)
    assert payload == int((PERIOD + 1) * 3600 + 600).to_bytes(8, "big") + token.encode()


def test_household_secrets_are_in_no_repr(key: HouseholdKey) -> None:
    code = HouseholdCode.parse(EXAMPLE)
    opened = key.open(key.seal(token := new_token(), "id", PERIOD), "id", NOW)
    shown = f"{code!r} {key!r} {opened!r} {code} {key} {vars(key)}"
    assert token not in shown
    assert "4567" not in shown


@given(st.text(max_size=80))
def test_sealed_token_is_opened_for_its_own_provider_alone(key: HouseholdKey, other: HouseholdKey, provider_id: str) -> None:
    token = new_token()
    sealed = key.seal(token, provider_id, PERIOD)
    assert len(f"tok={sealed}") == 100
    assert key.open(sealed, provider_id, NOW).token == token
    for who, named in ((key, f"{provider_id}x"), (key, provider_id[1:] or "y"), (other, provider_id)):
        if named != provider_id or who is other:
            with pytest.raises(WrongPassphraseError):
                who.open(sealed, named, NOW)


@given(st.data())
def test_sealed_token_that_was_changed_or_cut_is_not_opened(key: HouseholdKey, data: st.DataObject) -> None:
    sealed = key.seal(new_token(), "id", PERIOD)
    position = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:position] + ("A" if sealed[position] != "A" else "B") + sealed[position + 1 :]
    for text in (changed, sealed[:position], sealed + "A", data.draw(st.text(max_size=300))):
        with pytest.raises(WrongPassphraseError):
            key.open(text, "id", NOW)


@pytest.mark.parametrize("age", [0.0, 3599.0, 3600.0, 3600.0 + 599.0, -1.0, -3599.0])
def test_sealed_token_is_valid_for_its_hour_the_overlap_and_clocks_that_differ(key: HouseholdKey, age: float) -> None:
    opened = key.open(key.seal(new_token(), "id", PERIOD), "id", START + age)
    assert opened.expires == expiry(PERIOD) == START + 4200


@pytest.mark.parametrize(("age", "hours"), [(3600.0 + 600.0, 1), (7200.0, 2), (167 * 3600.0, 167), (168 * 3600.0, 168)])
def test_sealed_token_that_is_old_is_told_apart_from_a_foreign_one(key: HouseholdKey, age: float, hours: int) -> None:
    sealed = key.seal(new_token(), "id", PERIOD)
    with pytest.raises(StaleTokenError, match=f"{hours} h old") as caught:
        key.open(sealed, "id", START + age)
    assert caught.value.hours == hours


@pytest.mark.parametrize("age", [169 * 3600.0, -2 * 3600.0, -1e9])
def test_sealed_token_of_another_week_or_of_the_future_is_not_searched_for(key: HouseholdKey, age: float) -> None:
    with pytest.raises(WrongPassphraseError):
        key.open(key.seal(new_token(), "id", PERIOD), "id", START + age)


def test_sealed_token_with_a_chosen_secret_or_a_longer_life_is_refused(
    key: HouseholdKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who knows the passphrase still cannot make a client send anything else than a token, nor keep one for years."""
    with pytest.raises(SealError):
        key.open(key.seal("x" * 36, "id", PERIOD), "id", NOW)
    monkeypatch.setattr(household, "expiry", lambda period: period * 3600.0 + 10**9)
    sealed = key.seal(new_token(), "id", PERIOD)
    monkeypatch.undo()
    with pytest.raises(SealError):
        key.open(sealed, "id", NOW)
