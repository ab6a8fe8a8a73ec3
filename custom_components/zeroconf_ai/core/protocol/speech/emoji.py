"""Emoji in text, by the ranges of Unicode's emoji data (emoji-data.txt, version 17)."""

import re
from typing import Final

_PICTURES: Final = (
    "\U0001f000-\U0001faff"  # pictographs, emoticons, symbols, flags' letters
    "☀-❵➔-➿"  # miscellaneous symbols and dingbats, without the circled digits of the dingbats
    "⌚⌛⌨⏏⏩-⏳⏸-⏺▪▫▶◀◻-◾⬅-⬇⬛⬜⭐⭕⤴⤵〰〽㊗㊙"
)
_JOINERS: Final = "\ufe0f\u200d\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
"""Characters that follow a picture in a sequence: presentation selector, joiner, keycap, skin tone, letters of a flag."""

EMOJI: Final = re.compile(f"(?:[{_PICTURES}][{_JOINERS}]*)+|[\ufe0f\u20e3]+")
"""A run of pictures. A joiner alone is no picture: other scripts need it."""
JOINED: Final = re.compile(f"[{_JOINERS}]+")
"""Characters that continue a run of pictures."""
SYMBOL: Final = re.compile("[©®‼⁉™ℹ↔-↙↩↪]\ufe0f")
"""A text symbol that is shown as a picture only with this selector."""
SYMBOLS: Final = "©®‼⁉™ℹ↔↕↖↗↘↙↩↪"
FIRST: Final = f"{_PICTURES}\ufe0f\u20e3"
"""The characters with which a run begins, for a character class."""
