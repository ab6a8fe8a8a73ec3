"""The store of open one-time codes."""

import pytest

from zeroconf_ai.accounting.one_time_codes import TRIES, InvalidCodeError, OneTimeCodes, Purpose
from zeroconf_ai.protocol.pairing import CODE_SECONDS


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes(clock: Clock) -> OneTimeCodes:
    return OneTimeCodes(clock)


def test_code_that_was_sent_as_a_person_types_it_is_redeemed_once(codes: OneTimeCodes) -> None:
    made = codes.make(Purpose.ENROLL, {"models": ("gpt-*",)}, actor="anna")
    assert codes.redeem(Purpose.ENROLL, made.code.lower().replace("-", " ")).details == {"models": ("gpt-*",)}
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.ENROLL, made.code)


def test_code_after_three_wrong_ones_is_refused(codes: OneTimeCodes) -> None:
    made = codes.make(Purpose.ENROLL)
    for wrong in ("0000-0000", "x" * 1000, ""):
        with pytest.raises(InvalidCodeError):
            codes.redeem(Purpose.ENROLL, wrong)
    assert codes.current(Purpose.ENROLL) is None
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.ENROLL, made.code)


def test_code_at_the_last_try_is_accepted(codes: OneTimeCodes) -> None:
    made = codes.make(Purpose.ENROLL)
    for _ in range(TRIES - 1):
        codes.begin(Purpose.ENROLL)
    assert codes.redeem(Purpose.ENROLL, made.code) is made


def test_code_after_five_minutes_is_refused(codes: OneTimeCodes, clock: Clock) -> None:
    made = codes.make(Purpose.ENROLL)
    clock.now += CODE_SECONDS - 1
    begun = codes.begin(Purpose.ENROLL)
    clock.now += 1
    with pytest.raises(InvalidCodeError):
        codes.complete(begun)  # the proof came too late
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.ENROLL, made.code)


def test_code_of_another_purpose_is_refused_and_costs_it_no_try(codes: OneTimeCodes) -> None:
    enroll, relay = codes.make(Purpose.ENROLL), codes.make(Purpose.RELAY)
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.RELAY, enroll.code)
    assert (enroll.tries, relay.tries) == (TRIES, TRIES - 1)
    codes.close(Purpose.RELAY)
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.RELAY, relay.code)


def test_code_that_two_clients_prove_at_once_is_used_by_the_first(codes: OneTimeCodes) -> None:
    codes.make(Purpose.ENROLL)
    first, second = codes.begin(Purpose.ENROLL), codes.begin(Purpose.ENROLL)
    codes.complete(second)
    with pytest.raises(InvalidCodeError):
        codes.complete(first)


def test_new_code_ends_the_former_one(codes: OneTimeCodes) -> None:
    former = codes.make(Purpose.ENROLL)
    begun = codes.begin(Purpose.ENROLL)
    newer = codes.make(Purpose.ENROLL)
    with pytest.raises(InvalidCodeError):
        codes.complete(begun)
    with pytest.raises(InvalidCodeError):
        codes.redeem(Purpose.ENROLL, former.code)
    assert codes.redeem(Purpose.ENROLL, newer.code) is newer


def test_code_whose_certificate_could_not_be_stored_is_open_again(codes: OneTimeCodes) -> None:
    made = codes.make(Purpose.ENROLL)
    codes.give_back(codes.redeem(Purpose.ENROLL, made.code))
    assert codes.redeem(Purpose.ENROLL, made.code) is made
    codes.give_back(made)
    newer = codes.make(Purpose.ENROLL)
    codes.give_back(made)
    assert codes.current(Purpose.ENROLL) is newer


def test_listener_hears_of_codes_that_are_made_used_up_and_closed(codes: OneTimeCodes) -> None:
    heard: list[bool] = []
    stop = codes.listen(lambda: heard.append(codes.current(Purpose.ENROLL) is not None))
    codes.make(Purpose.ENROLL)
    for _ in range(TRIES):
        codes.begin(Purpose.ENROLL)
    codes.close(Purpose.ENROLL)
    stop()
    codes.make(Purpose.ENROLL)
    assert heard == [True, False, False]
    assert "-" not in repr(codes.current(Purpose.ENROLL)).replace("one-time", "")
