"""The parsers. Each target gets bytes, and fails by an exception that the parser does not document, or by a wrong result."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.config.providers_file import read_config
from zeroconf_ai.dialects.anthropic import client_request as anthropic_client, hosted_tools as anthropic_hosted
from zeroconf_ai.dialects.anthropic.native_response import NativeMessagesTranslator
from zeroconf_ai.dialects.anthropic.upstream_response import AnthropicTranslator
from zeroconf_ai.dialects.base import Translator
from zeroconf_ai.dialects.gemini import client_request as gemini_client
from zeroconf_ai.dialects.gemini.signatures import SignatureMemory
from zeroconf_ai.dialects.gemini.upstream_response import GeminiTranslator
from zeroconf_ai.dialects.ollama import client_request as ollama_client
from zeroconf_ai.dialects.ollama.upstream_response import OllamaTranslator
from zeroconf_ai.dialects.openai import client_request as openai_client
from zeroconf_ai.dialects.openai.expected import Expected
from zeroconf_ai.dialects.openai.upstream_response import ChunkRepair
from zeroconf_ai.dialects.responses import client_request as responses_client, hosted_tools as responses_hosted
from zeroconf_ai.dialects.responses.upstream_response import ResponsesTranslator
from zeroconf_ai.presence.enrolment_wire import EnrolmentError, bytes_of, object_of
from zeroconf_ai.presence.signing import issued
from zeroconf_ai.protocol import json as bounded_json
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.hosted_tools import GRANTS
from zeroconf_ai.protocol.ndjson import LineDecoder
from zeroconf_ai.protocol.pairing import CodeError, Pairing, PairingError, WrongCodeError, read_code
from zeroconf_ai.protocol.record import SATURN_TYPE, SERVICE_TYPE, RecordError, ServiceRecord
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.sse import SSEDecoder
from zeroconf_ai.relay.frames import (
    FrameError,
    FrameType,
    RequestHead,
    ResponseHead,
    decode,
    decode_json,
    decode_window,
    encode,
    encode_request,
    encode_response,
    encode_window,
    parse_request_head,
    parse_response_head,
    reset_error,
)
from zeroconf_ai.server.tls.signing_request import public_der, read_request

_CLIENT_KEY = ec.generate_private_key(ec.SECP256R1())
_PIECE = 3
"""Bytes of the pieces in which a stream is decoded once more."""

TXT = (
    b"version=1.0\nid=b7c1\nmodels=qwen3:8b,gemma3\nprovider=ollama\ncapabilities=completion,tools\nauth=token\npriority=10\ntls=1",
    b"backend=proxy\ncost=free\nfp=AAAA\nload=busy\ncontext=8192\nadmin=me@example.com",
    b"v=2\nid=b7c1\ndeployment=cloud\napi_base=https://api.example.com/v1\nephemeral_key=sk-x\nfeatures=chat,images\nmtrunc=1",
)
STREAM = b'\xef\xbb\xbf: ping\r\nevent: message_start\r\ndata: {"a": "\xc3\xbc"}\r\n\r\ndata: [DONE]\n\ndata: x\ndata: y\n\n'
RELAY_FRAMES = (
    encode_request(1, RequestHead("POST", "/v1/chat/completions", (("Content-Type", "application/json"), ("Via", "1.1 a")))),
    encode_response(1, ResponseHead(200, (("Content-Type", "text/event-stream"),))),
    encode_window(1, 65536),
    encode(FrameType.DATA, 1, b"data: {}"),
    encode(FrameType.RESET, 1, b'{"error": {"message": "Hi", "type": "t", "code": "c"}}'),
)
CSR = b"""-----BEGIN CERTIFICATE REQUEST-----
MIHLMHMCAQAwETEPMA0GA1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE2SbIpGR6xnFCDqgkPJIiXkPVPxKBA9USnnB0iw4t/9JftZkEDQENy+4Q
8iyuVK77u58hSS0eiHkEVaLAEiu736AAMAoGCCqGSM49BAMCA0gAMEUCIFqHvnRc
xBB/Zttedg9vpFaql7hqDHqxjg8V+LTHk+33AiEAxMTOUIiPzDz59OX/58XGI7RS
rEG0QmxPsgULXUFBTrc=
-----END CERTIFICATE REQUEST-----
"""
CODES = (b"7K4M-2XQP", "７k4m 2xqp".encode(), "oil1\u201300aa".encode())
LINES = b'{"message": {"content": "Hi"}, "done": false}\n\n{"done": true}'
PROVIDERS = b"""
providers:
  gpu: {type: ollama, endpoint: "http://192.0.2.7:11434", priority: 10, models: [qwen3:8b, {id: gemma3, costPer1kTokens: 0.1}]}
  cloud: {type: openai, api_key: "${OPENAI_API_KEY}", costPer1kTokens: {input: 0.01, output: 0.03}}
models: {fast: [gpu, cloud/gpt-4o-mini]}
server: {port: 8500, auth_mode: token}
usage_tracking: {storage: sqlite}
"""
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "data:,"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "dark"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "stop": ["x"],
    "max_tokens": 5,
}
STREAMED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 5,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "dark"}]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}
CONTENTS: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "dark"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
    "generationConfig": {"stopSequences": ["x"], "thinkingConfig": {"thinkingBudget": 5}},
}
RESPONSE: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "dark"},
    ],
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
}
HOSTED: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "user", "content": "Hi"},
        {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "x"}},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "data:,"}},
        {"type": "additional_tools", "tools": [{"type": "web_search"}]},
    ],
    "tools": [
        {"type": "web_search_preview_2025_03_11", "user_location": {"type": "approximate"}},
        {"type": "file_search", "vector_store_ids": ["v"], "filters": {"type": "eq", "key": "a", "value": 1}},
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}},
        {"type": "mcp", "server_label": "s", "server_url": "https://x", "headers": {"a": "b"}},
    ],
    "tool_choice": {"type": "web_search"},
    "include": ["web_search_call.results"],
    "max_tool_calls": 2,
}
HOSTED_MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}, {"type": "text", "text": "Hi"}]}],
    "tools": [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        {"type": "code_execution_20250825", "name": "c"},
    ],
    "mcp_servers": [{"type": "url", "url": "https://x", "name": "s", "authorization_token": "t"}],
    "tool_choice": {"type": "any"},
}
RESPONSE_EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "web_search_call", "action": {"type": "search"}}},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Hi"},
    {"type": "response.completed", "response": {"id": "r", "output": [], "usage": {"input_tokens": 5, "output_tokens": 2}}},
)
GENERATE: dict[str, Any] = {"model": "m", "prompt": "Hi", "system": "Be brief.", "images": ["AA=="], "options": {"stop": ["x"]}}
CHUNKS: tuple[dict[str, Any], ...] = (
    {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
)
CLAUDES: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
)
PARTS: list[dict[str, Any]] = [{"text": "Hi", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]
GOOGLES: tuple[dict[str, Any], ...] = (
    {
        "candidates": [{"content": {"parts": PARTS}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
    },
)
CALLS = [{"function": {"name": "f", "arguments": {}}}]
OLLAMAS: tuple[dict[str, Any], ...] = (
    {"message": {"content": "Hi", "thinking": "Hm", "tool_calls": CALLS}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2},
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and valid inputs to begin with."""

    run: Callable[[bytes], None]
    examples: tuple[bytes, ...]


def advertisement(data: bytes) -> None:
    """A TXT record, one string a line: read, written and read again."""
    pairs = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    txt = {key: value if mark else None for key, mark, value in pairs}
    with suppress(RecordError):
        for kind in (SERVICE_TYPE, SATURN_TYPE):
            record = ServiceRecord.from_txt(
                txt, name="Attic", host="attic.local.", port=80, addresses=["192.0.2.7"], service_type=kind
            )
            assert record.urls()
            assert record.base_urls()
            again = ServiceRecord.from_txt(record.to_txt(), name="Attic", host="attic.local.", port=80, addresses=["192.0.2.7"])
            assert (again.id, again.auth, again.priority, again.placement) == (
                record.id,
                record.auth,
                record.priority,
                record.placement,
            )


def enrolment_request(data: bytes) -> None:
    """A certificate signing request: another key than the allowed kinds, or an invalid signature, is refused."""
    with suppress(ApiError):
        key = read_request(data.decode("utf-8", "surrogateescape"))
        assert 0 < len(public_der(key)) < 1024


def enrolment_answer(data: bytes) -> None:
    """What a provider answers to a client that enrols."""
    with suppress(EnrolmentError):
        found = object_of(data, "Attic")
        with suppress(EnrolmentError):
            bytes_of(found, "proof", 32)
        assert issued(found, _CLIENT_KEY, "Attic").leaf.public_key() == _CLIENT_KEY.public_key()


def enrolment_code(data: bytes) -> None:
    """A typed one-time code: what is read is read again as the same."""
    with suppress(CodeError):
        code = read_code(data.decode("utf-8", "surrogateescape"))
        assert read_code(code) == code


def enrolment_pairing(data: bytes) -> None:
    """The message of the other side of a pairing: no message makes a wrong proof right."""
    pairing = Pairing.server("7K4M-2XQP", bytes(32), bytes(32))
    try:
        pairing.finish(data)
    except PairingError:
        return
    with suppress(WrongCodeError):
        pairing.check(data[-32:])
        raise AssertionError("a proof that nobody could make is accepted")


def relay_frame(data: bytes) -> None:
    """A frame of a relay link, with its payload as whatever its type contains."""
    with suppress(FrameError):
        frame = decode(data)
        assert encode(frame.type, frame.stream, frame.payload) == data
        if frame.type is FrameType.WINDOW:
            assert decode_window(frame.payload)
        elif frame.type is FrameType.RESET:
            assert all(isinstance(text, str) for text in reset_error(frame.payload).values())
        elif frame.type is FrameType.OPEN:
            value = decode_json(frame.payload)
            if "status" in value:
                response = parse_response_head(value)
                assert decode(encode_response(1, response)).stream == 1
            else:
                request = parse_request_head(value)
                assert parse_request_head(decode_json(decode(encode_request(1, request)).payload)) == request


def _in_pieces(data: bytes, decoder: Callable[[], Any]) -> None:
    """The items of a stream are the same, however it is cut."""
    whole, cut = decoder(), decoder()
    expected = [*whole.feed(data), *whole.flush()]
    found = [item for at in range(0, len(data), _PIECE) for item in cut.feed(data[at : at + _PIECE])]
    assert [*found, *cut.flush()] == expected


def events(data: bytes) -> None:
    """Server-Sent Events."""
    _in_pieces(data, SSEDecoder)


def lines(data: bytes) -> None:
    """Newline-delimited JSON."""
    _in_pieces(data, LineDecoder)


def providers_file(data: bytes) -> None:
    """The file of providers, of the server and of its backends."""
    with suppress(ConfigError):
        read_config(data.decode("utf-8", "replace"), "providers.yaml", {"OPENAI_API_KEY": "sk-x"})


def _request(translate: Callable[[Mapping[str, Any]], Any]) -> Callable[[bytes], None]:
    """A client's request: translated, or refused with an error of the API."""

    def run(data: bytes) -> None:
        with suppress(ValueError):
            body = bounded_json.loads(data)
            if isinstance(body, dict):
                with suppress(ApiError):
                    translated = translate(body)
                    chat = translated[0] if isinstance(translated, tuple) else translated
                    Request.parse(Kind.CHAT, dict(chat) | {"model": "m"})

    return run


def _hosted(separate: Callable[[Mapping[str, Any], tuple[str, ...]], Any]) -> Callable[[bytes], None]:
    """A client's request with hosted tools, of a key that is granted all, or that is granted none."""

    def run(data: bytes) -> None:
        with suppress(ValueError):
            body = bounded_json.loads(data)
            if isinstance(body, dict):
                for granted in (GRANTS, ()):
                    with suppress(ApiError):
                        separate(body, granted)

    return run


def _answer(translator: Callable[[], Translator]) -> Callable[[bytes], None]:
    """A provider's stream: translated to chunks that are valid JSON, or an error."""

    def run(data: bytes) -> None:
        reader = translator()
        with suppress(ApiError, ValueError):
            for piece in (data[: len(data) // 2], data[len(data) // 2 :], b""):
                for chunk in reader.feed(piece):
                    json.loads(chunk.raw)

    return run


def chunks(data: bytes) -> None:
    """Chunks of an OpenAI-compatible provider, one a line."""
    repair = ChunkRepair(Expected.by(Request.parse(Kind.CHAT, STREAMED)))
    with suppress(ApiError, ValueError):
        for line in data.split(b"\n"):
            for chunk in repair.feed(line):
                json.loads(chunk.raw)
        for chunk in repair.flush():
            json.loads(chunk.raw)


def _texts(*bodies: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(json.dumps(body).encode() for body in bodies)


def _events(*bodies: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + text + b"\n\n" for text in _texts(*bodies))


TARGETS: dict[str, Target] = {
    "advertisement": Target(advertisement, TXT),
    "events": Target(events, (STREAM,)),
    "lines": Target(lines, (LINES,)),
    "relay-frame": Target(relay_frame, RELAY_FRAMES),
    "enrolment-request": Target(enrolment_request, (CSR,)),
    "enrolment-answer": Target(
        enrolment_answer, (json.dumps({"certificate": CSR.decode(), "authority": CSR.decode()}).encode(),)
    ),
    "enrolment-code": Target(enrolment_code, CODES),
    "enrolment-pairing": Target(enrolment_pairing, (Pairing.client("7K4M-2XQP", bytes(32), bytes(32)).message,)),
    "providers-file": Target(providers_file, (PROVIDERS,)),
    "openai-request": Target(_request(openai_client.to_chat), _texts(CHAT)),
    "anthropic-request": Target(_request(anthropic_client.to_chat), _texts(MESSAGES)),
    "gemini-request": Target(_request(lambda body: gemini_client.to_chat(body, "m", stream=True)), _texts(CONTENTS)),
    "ollama-request": Target(_request(ollama_client.chat_to_chat), _texts(CHAT)),
    "ollama-generate": Target(_request(ollama_client.generate_to_chat), _texts(GENERATE)),
    "responses-request": Target(_request(responses_client.to_chat), _texts(RESPONSE)),
    "responses-hosted": Target(_hosted(responses_hosted.hosted_tools), _texts(HOSTED)),
    "anthropic-hosted": Target(_hosted(anthropic_hosted.hosted_tools), _texts(HOSTED_MESSAGES)),
    "responses-answer": Target(_answer(lambda: ResponsesTranslator("m", "p")), (_events(*RESPONSE_EVENTS),)),
    "messages-answer": Target(_answer(lambda: NativeMessagesTranslator("p", ())), (_events(*CLAUDES),)),
    "openai-answer": Target(chunks, (b"\n".join(_texts(*CHUNKS)), *_texts(*CHUNKS))),
    "anthropic-answer": Target(_answer(lambda: AnthropicTranslator("m")), (_events(*CLAUDES),)),
    "gemini-answer": Target(_answer(lambda: GeminiTranslator("m", SignatureMemory())), (_events(*GOOGLES),)),
    "ollama-answer": Target(_answer(lambda: OllamaTranslator("m")), (b"\n".join(_texts(*OLLAMAS)),)),
}
