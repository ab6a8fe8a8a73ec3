"""A request in the internal format: OpenAI's chat completions, text completions, embeddings, images and audio, validated once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Self

import orjson

from . import audio_requests, image_requests, json
from .audio_requests import Recording, recording_tokens
from .data_urls import with_plain_data_urls
from .demand import PromptDemand, chat_demand, text_demand
from .errors import InvalidRequestError
from .exchange import NO_EXCHANGE, Exchange
from .home_rule import HomeRule
from .hosted_tools import HostedTools
from .image_requests import InputImage
from .model_names import MAX_NAME
from .models import AUTO
from .neutral_parameters import without_neutral
from .record import Capability
from .values import NOTHING

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text with the byte-pair vocabularies in use; only for estimates, of `english_length`."""
_PER_MORE_BYTE = 1.5
"""Characters of English for each byte of UTF-8 beyond one per character.

Measured on a sentence in 14 languages with OpenAI's vocabularies o200k_base and cl100k_base, in tokens per character: English
0.2, Russian 0.3 to 0.5, Chinese 0.8 to 1.2, Japanese 0.7 to 1.0, Hindi 0.4 to 1.0, emoji 1.8 to 2.4. This gives 0.25, 0.6, 1.0,
1.0, 1.0, and 1.4.
"""
TOKENS_PER_IMAGE = 800
"""Estimate for an image of 1024x1024 pixels: 765 tokens at OpenAI's high detail, up to 1600 with other APIs."""

MAX_MESSAGES = 10_000
_PROMPT = frozenset({"messages", "tools", "functions", "tool_choice", "response_format", "prompt", "suffix", "input"})
"""Parameters on which the prompt's size and the required capabilities depend."""
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class Kind(StrEnum):
    """The kind of request; the value is the path after `/v1/`."""

    CHAT = "chat/completions"
    COMPLETION = "completions"
    EMBEDDINGS = "embeddings"
    IMAGES = "images/generations"
    IMAGE_EDITS = "images/edits"
    TRANSCRIPTION = "audio/transcriptions"
    SPEECH = "audio/speech"

    @property
    def writes(self) -> bool:
        """Whether the answer is a text, which a model generates token by token."""
        return self in (Kind.CHAT, Kind.COMPLETION)

    @property
    def makes_images(self) -> bool:
        """Whether the answer consists of images."""
        return self in (Kind.IMAGES, Kind.IMAGE_EDITS)

    @property
    def is_audio(self) -> bool:
        """Whether the request or the answer is a recording of speech."""
        return self in (Kind.TRANSCRIPTION, Kind.SPEECH)

    @property
    def words(self) -> str:
        """What is requested, in words for errors."""
        return _TITLES[self]


_TITLES: Mapping[Kind, str] = {
    Kind.CHAT: "chats",
    Kind.COMPLETION: "text completions",
    Kind.EMBEDDINGS: "embeddings",
    Kind.IMAGES: "images",
    Kind.IMAGE_EDITS: "edits of images",
    Kind.TRANSCRIPTION: "speech to text",
    Kind.SPEECH: "text to speech",
}


class Urgency(IntEnum):
    """The priority of waiting requests; lower goes first."""

    VOICE = 0
    """A voice assistant waits for the answer."""
    NORMAL = 1
    BACKGROUND = 2


@dataclass(frozen=True)
class Request:
    """One valid request. `body` is the client's, without neutral parameters, with plain data URLs. It is not changed in place."""

    kind: Kind
    body: Mapping[str, Any] = field(repr=False)
    pin: str | None = None
    """Id of the one backend that may answer, or None."""
    request_id: str | None = None
    via: tuple[str, ...] = ()
    """Ids of the gateways that forwarded it."""
    models: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of the models that its caller may use; empty: all."""
    user_id: str | None = field(default=None, repr=False)
    """Id of the Home Assistant user."""
    key_id: str | None = field(default=None, repr=False)
    """Id of the API key."""
    session: str | None = field(default=None, repr=False)
    """Requests of one session stay with one backend if possible."""
    leads: tuple[str, ...] = field(default=(), repr=False)
    """Keys of its conversation, device and user, under which the backend that answered last is stored."""
    leader: str | None = None
    """Id of the backend that answered last; it leads among equal backends."""
    urgency: Urgency = Urgency.NORMAL
    inside: bool = False
    """Whether it comes from Home Assistant's own agents, which then must not answer it themselves."""
    home_rule: HomeRule | None = None
    """Why it stays at home; None: it may leave unless the home-only switch is on."""
    barred: frozenset[str] = frozenset()
    """Ids of the backends that must not answer it because a budget or rate limit for them is exhausted."""
    allowances: Mapping[str, int] = NOTHING
    """Maximum cost in nano-units of the currency of budgets by backend id, for the backends with a budget."""
    exchange: Exchange = field(default=NO_EXCHANGE, repr=False)
    """The exchange rates when it arrived, by which budgets are charged for it."""
    hosted: HostedTools | None = None
    """The hosted tools that its caller may use, for backends of the client's dialect; None: none."""
    images: tuple[InputImage, ...] = field(default=(), repr=False)
    """The images to edit, in their order, and the mask, if there is one. Only of `IMAGE_EDITS`; they are not in the body."""
    recording: Recording | None = field(default=None, repr=False)
    """The file of a request for a transcript, which `body` does not contain."""
    answer_bytes: int | None = None
    """Maximum size of an answer that is not streamed, in bytes; None: the backend's general limit."""

    @classmethod
    def parse(cls, kind: Kind, raw: bytes | Mapping[str, Any], **meta: Any) -> Self:
        """Validate a body. Raises InvalidRequestError, which names the invalid parameter and the valid values."""
        if isinstance(raw, bytes | bytearray):
            raw = parse_object(raw)
        else:
            _check_depth(raw)
        return cls.of_object(kind, raw, **meta)

    @classmethod
    def of_object(cls, kind: Kind, body: Mapping[str, Any], **meta: Any) -> Self:
        """Validate a body that `parse_object` has parsed, which is not nested too deeply. Raises like `parse`."""
        _check(body, kind)
        if kind is Kind.IMAGE_EDITS:
            image_requests.check_inputs(meta.get("images") or ())
        body = without_neutral(body)
        return cls(kind, with_plain_data_urls(body) if kind is Kind.CHAT else body, **meta)

    @property
    def model(self) -> str:
        """The requested model; `auto` if none is given."""
        return self.body.get("model") or AUTO

    @property
    def stream(self) -> bool:
        """Whether the client requests a stream of chunks."""
        return self.body.get("stream") is True and (self.kind.writes or self.kind is Kind.TRANSCRIPTION)

    @property
    def listening(self) -> bool:
        """Whether a person is waiting to hear the answer. Then no attempt waits for a backend that may fail."""
        return self.urgency is Urgency.VOICE

    @cached_property
    def needs(self) -> frozenset[Capability]:
        """The capabilities that provider and model must have."""
        if self.kind is Kind.EMBEDDINGS:
            return frozenset({Capability.EMBEDDINGS})
        if self.kind.makes_images:
            return frozenset({Capability.IMAGE_GENERATION})
        if self.kind.is_audio:
            return frozenset({Capability.SPEECH if self.kind is Kind.SPEECH else Capability.TRANSCRIPTION})
        needs = {Capability.COMPLETION}
        if self.body.get("tools"):
            needs.add(Capability.TOOLS)
        response_format = self.body.get("response_format")
        if isinstance(response_format, Mapping) and response_format.get("type") in ("json_schema", "json_object"):
            needs.add(Capability.JSON)
        for part in self._parts():
            if part.get("type") == "image_url":
                needs.add(Capability.VISION)
            elif part.get("type") == "input_audio":
                needs.add(Capability.AUDIO)
        return frozenset(needs)

    @cached_property
    def prompt_demand(self) -> PromptDemand:
        """The upper bound of the prompt's tokens; `estimated_prompt_tokens` is the likely number."""
        if self.kind is Kind.CHAT:
            return chat_demand(self.body)
        if self.recording is not None:
            demand = text_demand(self.body.get("prompt") or "")
            return replace(demand, tokens=demand.tokens + recording_tokens(self.recording))
        if self.kind is Kind.SPEECH:
            return text_demand([self.body["input"], self.body.get("instructions") or ""])
        demand = text_demand(
            self.body["input"] if self.kind is Kind.EMBEDDINGS else [self.body["prompt"], self.body.get("suffix") or ""]
        )
        return replace(demand, images=len(self.images)) if self.images else demand

    @cached_property
    def estimated_prompt_tokens(self) -> int:
        """Estimated tokens of the prompt, from the length of its texts; each image or other medium counts as a fixed number."""
        if self.kind is not Kind.CHAT:
            text_tokens = _estimated(self.body.get("input" if self.kind in (Kind.EMBEDDINGS, Kind.SPEECH) else "prompt") or "")
            return text_tokens + len(self.images) * TOKENS_PER_IMAGE
        characters = len(orjson.dumps(self.body["tools"])) if self.body.get("tools") else 0
        media = 0
        for message in self.body["messages"]:
            content = message.get("content")
            if isinstance(content, str):
                characters += english_length(content)
            if message.get("tool_calls"):
                characters += len(orjson.dumps(message["tool_calls"]))
        for part in self._parts():
            if part.get("type") == "text":
                characters += english_length(text) if isinstance(text := part.get("text"), str) else 0
            else:
                media += 1
        return characters // CHARACTERS_PER_TOKEN + media * TOKENS_PER_IMAGE

    def with_meta(self, **changes: Any) -> Self:
        """A copy with other fields. A new `body` must have the same prompt and need the same capabilities.

        Like `replace`, but five times as fast; values computed from the body are kept.
        """
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__)
        changed.__dict__.update(changes)
        return changed

    def with_body(self, **changes: Any) -> Self:
        """A copy with other parameters; None removes one.

        Values computed from the body are kept unless a part of the prompt changes.
        """
        body = {**self.body, **changes}
        for name, value in changes.items():
            if value is None:
                del body[name]
        return self.with_meta(body=body) if _PROMPT.isdisjoint(changes) else replace(self, body=body)

    def of_model(self, model: str) -> Self:
        """A copy for another model."""
        return self.with_meta(body={**self.body, "model": model})

    def dump(self) -> bytes:
        """The body as JSON."""
        return orjson.dumps(self.body)

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        for message in self.body["messages"] if self.kind is Kind.CHAT else ():
            if isinstance(content := message.get("content"), list):
                yield from (part for part in content if isinstance(part, Mapping))


def english_length(text: str) -> int:
    """The number of characters of an English text that has about as many tokens as `text`."""
    if text.isascii():
        return len(text)
    return len(text) + int((len(text.encode(errors="replace")) - len(text)) * _PER_MORE_BYTE)


def _estimated(text: object) -> int:
    """Estimated tokens of a text, a list of texts, a list of tokens, or a list of those."""
    if isinstance(text, list) and text and all(isinstance(item, int) for item in text):
        return len(text)
    if isinstance(text, list) and any(isinstance(item, list) for item in text):
        return sum(map(_estimated, text))
    if isinstance(text, list):
        return sum(english_length(item) for item in text if isinstance(item, str)) // CHARACTERS_PER_TOKEN
    return (english_length(text) if isinstance(text, str) else len(orjson.dumps(text))) // CHARACTERS_PER_TOKEN


def parse_object(raw: bytes | bytearray) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequestError for anything else."""
    try:
        body = json.loads(raw)
    except json.DepthError as err:
        raise _too_deep(err) from None
    except json.JSONDecodeError as err:
        raise InvalidRequestError(f"The body is not JSON: {err}. Send a JSON object.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("The body must be a JSON object.", code="invalid_json")
    return body


def _check_depth(body: Mapping[str, Any]) -> None:
    try:
        json.check_depth(body)
    except json.DepthError as err:
        raise _too_deep(err) from None


def _too_deep(err: json.DepthError) -> InvalidRequestError:
    return InvalidRequestError(f"The body is {err}. Send fewer levels.", code="invalid_json")


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_limit(value: object) -> bool:
    """Whether a value is a limit of tokens: a whole number; 0 and -1 mean no limit, as at LM Studio and llama.cpp."""
    return isinstance(value, int | float) and _is_number(value, -1, 2**53) and value == int(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


LIMIT = "a whole number of at least 1, or -1 for no limit"
"""Description of the valid limits of tokens."""
_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (lambda value: _is_number(value, 0, 2), "a number from 0 to 2"),
    "top_p": (lambda value: _is_number(value, 0, 1), "a number from 0 to 1"),
    "presence_penalty": (lambda value: _is_number(value, -2, 2), "a number from -2 to 2"),
    "frequency_penalty": (lambda value: _is_number(value, -2, 2), "a number from -2 to 2"),
    "max_tokens": (is_limit, LIMIT),
    "max_completion_tokens": (is_limit, LIMIT),
    "n": (_is_count, "a whole number of at least 1"),
    "best_of": (_is_count, "a whole number of at least 1"),
    "stream": (_is_bool, "true or false"),
    "tools": (lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value), "a list of objects"),
    "response_format": (lambda value: isinstance(value, dict), "an object"),
    "stream_options": (lambda value: isinstance(value, dict), "an object"),
}
"""The valid values by OpenAI's API reference."""
_OTHER_RULES: Mapping[Kind, Mapping[str, tuple[Callable[[object], bool], str]]] = {
    Kind.IMAGES: image_requests.RULES,
    Kind.IMAGE_EDITS: image_requests.RULES,
    Kind.TRANSCRIPTION: audio_requests.TRANSCRIPTION_RULES,
    Kind.SPEECH: audio_requests.SPEECH_RULES,
}
"""The same of the other kinds of requests."""


def _refuse(param: str, wanted: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid value for '{param}': it must be {wanted}.", param=param)


def _check(body: Mapping[str, Any], kind: Kind) -> None:
    model = body.get("model")
    if model is not None and not (isinstance(model, str) and 0 < len(model) <= MAX_NAME):
        raise _refuse("model", "a model's id, or left out")
    rules = _OTHER_RULES.get(kind, _RULES)
    for param, value in body.items():
        if value is not None and param in rules:
            allowed, wanted = rules[param]
            if not allowed(value):
                raise _refuse(param, wanted)
    if kind is Kind.CHAT:
        _check_messages(body.get("messages"))
        return
    if kind.makes_images:
        allowed, wanted = image_requests.PROMPT
        if not allowed(body.get("prompt")):
            raise _refuse("prompt", wanted)
        return
    if kind is Kind.TRANSCRIPTION:
        return
    if kind is Kind.SPEECH:
        allowed, wanted = audio_requests.INPUT
        if not allowed(body.get("input")):
            raise _refuse("input", wanted)
        return
    param = "input" if kind is Kind.EMBEDDINGS else "prompt"
    value = body.get(param)
    if not (isinstance(value, str) or (isinstance(value, list) and value)) or value == "":
        raise _refuse(param, "a text, or a list that is not empty")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise _refuse("messages", "a list with at least one message")
    if len(messages) > MAX_MESSAGES:
        raise _refuse("messages", f"a list of at most {MAX_MESSAGES} messages")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise _refuse(where, "an object with role and content")
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise _refuse(f"{where}.role", "one of " + ", ".join(sorted(_ROLES)))
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise _refuse(f"{where}.content", "a text or a list of parts")
        parts = content if isinstance(content, list) else []
        if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
            raise _refuse(f"{where}.content", "a list of objects that each have a type")
