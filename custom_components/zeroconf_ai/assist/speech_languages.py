"""The languages of speech that are offered unless the owner lists others."""

from typing import Final

LANGUAGES: Final = (
    "af", "ar", "az", "be", "bg", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "fa", "fi", "fil", "fr", "gl", "he",
    "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "kk", "kn", "ko", "lt", "lv", "mi", "mk", "mr", "ms", "nb", "ne", "nl", "pl",
    "pt", "pt-BR", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
"""Those that Whisper knows well (OpenAI, "Speech to text", "Supported languages"), as tags of BCP 47."""
