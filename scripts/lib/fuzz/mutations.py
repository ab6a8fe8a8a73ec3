"""Odd inputs without atheris: examples whose parts are replaced, repeated and cut, made smaller by hypothesis where they fail."""

from hypothesis import strategies as st

PARTS = (
    b"", b"0", b"-1", b"1e999", b"null", b"true", b"[]", b"{}", b'""', b'"x"', b'"\\ud800"', b"\xff", b"\x00", b"\n", b"\r",
    b": ", b",", b"{" * 70, b"[" * 70, b"9" * 40, "\u202e".encode(), b"data: ", b"[DONE]", b"${X}", b"*a", b"&a [*a]", b"http://[",
    b"!!python/name:os.system",
)  # fmt: skip
"""What a part is replaced by."""


@st.composite
def inputs(draw: st.DrawFn, examples: tuple[bytes, ...]) -> bytes:
    """An example after one to six changes, or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    data = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        put = draw(st.sampled_from(PARTS) | st.binary(max_size=4) | st.just(data[start:end] * 2))
        data = data[:start] + put + data[end:]
    return data
