"""docs/openapi.yaml describes the gateway: its paths, and the responses to requests that schemathesis generates."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
import re
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import HealthCheck, given, settings
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
import yaml

from zeroconf_ai.accounting.conversations.conversation import Owner
from zeroconf_ai.accounting.conversations.image_store import Origin
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Recorders
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.dispatch import Route
from zeroconf_ai.server.endpoints import OWN_PORT_ROUTES, ROUTES
from zeroconf_ai.server.metrics import Metrics

from ...support.fakes.upstream import StubBackend
from ...support.pictures import encoded
from ...support.server import Served, served
from .test_audio import FakeAudio

FILE = Path(__file__).parents[3] / "docs" / "openapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}

CONFORMS = [
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
ASK = {"messages": [{"role": "user", "content": "Hello"}]}
SCHEMATIC = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
CONTENTS: dict[str, Any] = {"contents": [{"parts": [{"text": "Hello"}]}]}
EMBED: dict[str, Any] = {"content": {"parts": [{"text": "Hello"}]}}
GEMINI: list[tuple[str, dict[str, Any]]] = [
    ("generateContent", {"body": CONTENTS}),
    ("streamGenerateContent", {"body": CONTENTS}),
    ("streamGenerateContent", {"body": CONTENTS, "query": {"alt": "sse"}}),
    ("countTokens", {"body": CONTENTS}),
    ("embedContent", {"body": EMBED}),
    ("batchEmbedContents", {"body": {"requests": [EMBED, EMBED]}}),
]
ONLY_TLS = {"POST /v1/enroll", "GET /v1/enroll/{request}"}
"""Operations whose answers tests/core/server/test_enroll.py compares, over TLS."""
SHOW_IMAGE = "GET /v1/images/{conversation}/{message}/{filename}"
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("GET /v1/models", {}),
    ("GET /v1/models/{model}", {"path_parameters": {"model": "demo-rules"}}),
    ("GET /v1/models/{model}", {"path_parameters": {"model": "auto"}}),
    ("GET /v1/models", {"headers": {"anthropic-version": "2023-06-01"}}),
    ("GET /v1/models/{model}", {"path_parameters": {"model": "auto"}, "headers": {"anthropic-version": "2023-06-01"}}),
    ("POST /v1/chat/completions", {"body": ASK}),
    ("POST /v1/chat/completions", {"body": ASK | {"stream": True, "stream_options": {"include_usage": True}}}),
    ("POST /v1/chat/completions", {"body": ASK | {"response_format": SCHEMATIC}}),
    ("POST /v1/completions", {"body": {"prompt": "Once"}}),
    ("POST /v1/completions", {"body": {"prompt": "Once", "stream": True}}),
    ("POST /v1/embeddings", {"body": {"input": "Hello"}}),
    ("POST /v1/embeddings", {"body": {"input": ["Hello", "there"], "encoding_format": "base64"}}),
    ("POST /v1/images/generations", {"body": {"prompt": "A house"}}),
    ("POST /v1/images/generations", {"body": {"model": "gpt-image-1", "prompt": "A house", "n": 2, "size": "1024x1024"}}),
    ("POST /v1/images/edits", {"body": {"image": encoded(), "prompt": "A house"}}),
    ("POST /v1/images/edits", {"body": {"image": encoded(), "mask": encoded(), "prompt": "A house", "n": 2}}),
    ("POST /v1/responses", {"body": {"input": "Hello"}}),
    ("POST /v1/responses", {"body": {"input": "Hello", "stream": True}}),
    ("GET /v1/responses/{response}", {}),
    ("DELETE /v1/responses/{response}", {}),
    ("GET /v1/responses/{response}/input_items", {}),
    ("GET /v1/responses/{response}/input_items", {"query": {"limit": 1, "order": "asc"}}),
    ("POST /v1/messages", {"body": ASK | {"max_tokens": 50}}),
    ("POST /v1/messages", {"body": ASK | {"max_tokens": 50, "stream": True}}),
    ("POST /v1/messages/count_tokens", {"body": ASK}),
    *(
        (f"POST /{version}/models/{{model}}:{method}", {"path_parameters": {"model": "auto"}, **parts})
        for version in ("v1", "v1beta")
        for method, parts in GEMINI
    ),
    ("GET /v1beta/models", {}),
    ("GET /v1beta/models", {"query": {"pageSize": 1}}),
    ("GET /v1beta/models/{model}", {"path_parameters": {"model": "demo-rules"}}),
    ("POST /v1/audio/transcriptions", {"body": {"file": b"RIFF"}}),
    ("POST /v1/audio/transcriptions", {"body": {"file": b"RIFF", "response_format": "verbose_json"}}),
    ("POST /v1/audio/transcriptions", {"body": {"file": b"RIFF", "response_format": "text"}}),
    ("POST /v1/audio/speech", {"body": {"input": "Hello"}}),
    ("GET /v1/audio/models", {}),
    ("GET /v1/audio/voices", {}),
    ("GET /v1/audio/voices", {"query": {"model": "tts.voice"}}),
    ("POST /v1/images/upload", {"body": {"file": encoded(), "conversation_id": "c-1", "message_id": "m-1"}}),
    (SHOW_IMAGE, {}),
    ("GET /v1/health", {}),
    ("GET /v1/status", {}),
    ("GET /v1/generation", {"query": {"id": "req-known"}}),
    ("GET /v1/usage", {"query": {"from": "2026-01-01", "to": "2026-12-31", "group_by": "day,client"}}),
    ("GET /v1/usage", {"query": {"format": "csv"}}),
    ("GET /v1/metrics", {}),
    ("GET /admin/usage", {"query": {"start": "2026-01-01", "end": "2026-12-31", "group_by": "day,model"}}),
    ("GET /admin/usage", {"query": {"group_by": "hour,address", "format": "csv"}}),
    ("GET /metrics", {}),
    ("POST /api/chat", {"body": ASK | {"model": "demo-rules", "stream": False}}),
    ("POST /api/chat", {"body": ASK | {"model": "demo-rules"}}),
    ("POST /api/generate", {"body": {"model": "demo-rules", "prompt": "Hello", "stream": False}}),
    ("POST /api/generate", {"body": {"model": "demo-rules", "prompt": "Hello"}}),
    ("POST /api/generate", {"body": {"model": "demo-rules"}}),
    ("POST /api/generate", {"body": {"model": "demo-rules", "prompt": "Hello", "raw": True, "stream": False}}),
    ("POST /api/embed", {"body": {"model": "demo-embed", "input": "Hello"}}),
    ("POST /api/embed", {"body": {"model": "demo-embed"}}),
    ("POST /api/embeddings", {"body": {"model": "demo-embed", "prompt": "Hello"}}),
    ("GET /api/tags", {}),
    ("GET /api/ps", {}),
    ("POST /api/pull", {"body": {"model": "demo-rules"}}),
    ("POST /api/pull", {"body": {"model": "demo-rules", "stream": False}}),
    ("POST /api/show", {"body": {"model": "demo-rules"}}),
    ("GET /api/version", {}),
]
MADE_UP = [
    (label, mode)
    for label, operation in OPERATIONS.items()
    for mode in schemathesis.GenerationMode
    # Where nothing is asked for, nothing can be wrong.
    if mode is schemathesis.GenerationMode.POSITIVE or list(operation.body) or list(operation.query)
    # /v1/models/{model}:METHOD is another path of the same operation, whose requests take long to generate.
    if not label.startswith("POST /v1/models/{model}:")
]


@asynccontextmanager
async def complete(folder: Path, audio: FakeAudio | None = None) -> AsyncIterator[tuple[Served, str]]:
    """A gateway with all that one can have, and a key for it."""
    store = await AccountingStore.open(folder / "gateway.db")
    try:
        scopes = {route.scope for route in (*ROUTES, *OWN_PORT_ROUTES) if route.scope}  # with that of administrators
        _, secret = await store.keys.create("Robot", endpoints=tuple(sorted(scopes)))
        backend = DemoBackend(word_seconds=0.0)
        options: dict[str, Any] = {"ledger": store.ledger, "images": store.images, "audio": audio or FakeAudio()}
        painter = StubBackend("painter", models=["gpt-image-1"])
        async with served(backend, painter, access=Guard(store.keys), **options) as gateway:
            metrics = Metrics(gateway.engine.pool)
            await gateway.engine.attach(Accounting(Recorders(store.ledger, metrics)))
            gateway.gateway.metrics = metrics
            yield gateway, secret
            metrics.close()
    finally:
        await store.close()


async def parts_of(label: str, parts: Mapping[str, Any], gateway: Served, secret: str) -> Mapping[str, Any]:
    """The parts of a request; of that for an image, those of the URL of a stored one; of that for a response, with its id."""
    if "{response}" in label:
        _, response, _ = await gateway.ask("POST", "responses", json={"input": "Hello"}, headers=keyed(secret))
        return {**parts, "path_parameters": {"response": response["id"]}}
    if label != SHOW_IMAGE:
        return parts
    images = gateway.gateway.images
    assert images is not None
    owner = Owner("phone")
    image = await images.add(owner, "c-2", "m-1", encoded(), Origin("http"))
    names = {"conversation": image.conversation_id, "message": image.message_id, "filename": image.filename}
    return {"path_parameters": names, "query": dict(parse_qsl(images.query_of(owner, image)))}


def made(label: str, parts: Mapping[str, Any]) -> schemathesis.Case[Any]:
    """A request of these parts."""
    body = parts.get("body")
    if body is None:
        return OPERATIONS[label].Case(**parts)
    return OPERATIONS[label].Case(
        **parts, media_type="multipart/form-data" if {"file", "image"} & body.keys() else "application/json"
    )


def root(gateway: Served) -> str:
    return gateway.url.removesuffix("/v1")


def keyed(secret: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", **more}


def described(route: Route) -> str:
    """The path of a route in OpenAPI's notation."""
    return re.sub(r"{(\w+):[^}]*}", r"{\1}", route.path)


def test_openapi_document_is_valid() -> None:
    SCHEMA.validate()


def test_openapi_paths_and_methods_equal_the_servers() -> None:
    listed = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert listed == {(route.method, described(route)) for route in (*ROUTES, *OWN_PORT_ROUTES)}


@pytest.mark.parametrize("route", [*ROUTES, *OWN_PORT_ROUTES], ids=lambda route: f"{route.method} {route.path}")
def test_openapi_paths_list_their_errors(route: Route) -> None:
    operation = DOCUMENT["paths"][described(route)][route.method.lower()]
    needed = {"414", "431", "500", "503"}
    if not route.public:
        needed |= {"401", "403", "429"}
    if "requestBody" in operation:
        needed |= {"400", "413", "415"}
    assert needed <= operation["responses"].keys()
    assert ("Own port" in operation["tags"]) == (route in OWN_PORT_ROUTES)
    assert (operation.get("security") == []) == route.public


@pytest.mark.parametrize(("label", "parts"), GOOD, ids=[f"{label}-{index}" for index, (label, _) in enumerate(GOOD)])
async def test_openapi_valid_requests_are_answered_as_described(tmp_path: Path, label: str, parts: Mapping[str, Any]) -> None:
    async with complete(tmp_path) as (gateway, secret):
        await gateway.ask("POST", "chat/completions", json=ASK, headers=keyed(secret, **{"X-Request-ID": "req-known"}))
        sent = await parts_of(label, parts, gateway, secret)
        response = await asyncio.to_thread(
            made(label, sent).call_and_validate, base_url=root(gateway), headers=keyed(secret), checks=CONFORMS
        )
    assert response.status_code == 200


def test_openapi_tests_cover_all_operations() -> None:
    assert {label for label, _ in GOOD} | ONLY_TLS == OPERATIONS.keys()


@pytest.mark.parametrize(("label", "mode"), MADE_UP, ids=[f"{label}-{mode.value}" for label, mode in MADE_UP])
async def test_openapi_generated_requests_are_answered_as_described(
    tmp_path: Path, label: str, mode: schemathesis.GenerationMode
) -> None:
    operation = OPERATIONS[label]
    async with complete(tmp_path) as (gateway, secret):
        base_url = root(gateway)

        @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(mode))
        def hold(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(base_url=base_url, headers=keyed(secret), checks=CONFORMS)

        await asyncio.to_thread(hold)


@pytest.mark.parametrize("part", ["query", "headers"])
async def test_openapi_too_long_requests_are_refused_as_described(tmp_path: Path, part: str) -> None:
    async with complete(tmp_path) as (gateway, secret):
        response = await asyncio.to_thread(
            made("GET /admin/usage", {part: {"source": "a" * 9000}}).call_and_validate,
            base_url=root(gateway),
            headers=keyed(secret),
            checks=CONFORMS,
        )
    assert response.status_code == (414 if part == "query" else 431)


@pytest.mark.parametrize("label", sorted(OPERATIONS.keys() - ONLY_TLS))
async def test_openapi_requests_without_key_are_refused_as_described(tmp_path: Path, label: str) -> None:
    parts = next(parts for known, parts in GOOD if known == label)
    async with complete(tmp_path) as (gateway, secret):
        sent = await parts_of(label, parts, gateway, secret)
        response = await asyncio.to_thread(made(label, sent).call_and_validate, base_url=root(gateway), checks=CONFORMS)
    assert response.status_code == (200 if label in ("GET /v1/health", SHOW_IMAGE) else 401)
