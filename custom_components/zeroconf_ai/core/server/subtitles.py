"""Transcripts as subtitles: SubRip (`srt`) and WebVTT (`vtt`), as OpenAI's API writes them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..protocol.usage import duration_of
from ..protocol.values import mapping

FORMATS: Final = ("srt", "vtt")
_MOST_SEGMENTS: Final = 50_000


def subtitles(data: Mapping[str, Any], wanted: str, seconds: float) -> str:
    """The subtitles of a transcript in the format `verbose_json`.

    A transcript without segments is one subtitle, of the reported duration or else of `seconds`, that of the recording.
    """
    cues = list(_cues(data, seconds))
    if wanted == "vtt":
        return "WEBVTT\n\n" + "".join(f"{_time(start, '.')} --> {_time(end, '.')}\n{text}\n\n" for start, end, text in cues)
    return "".join(
        f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n\n" for number, (start, end, text) in enumerate(cues, 1)
    )


def _cues(data: Mapping[str, Any], seconds: float) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of each. An arrow in a text would be read as times, and an empty line as the end."""
    segments = data.get("segments")
    listed = [mapping(segment) for segment in segments[:_MOST_SEGMENTS]] if isinstance(segments, list) else []
    if not listed:
        listed = [{"end": duration_of(data.get("duration")) or seconds, "text": data.get("text")}]
    for segment in listed:
        text = " ".join(str(segment.get("text") or "").split()).replace("-->", "->")
        start = duration_of(segment.get("start"))
        if text:
            yield start, max(duration_of(segment.get("end")), start), text


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
