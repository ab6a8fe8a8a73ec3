"""The handlers, one module per group of paths. `ROUTES` lists the routes of every port."""

from ..dispatch import Route
from . import (
    audio,
    enroll,
    gemini,
    generate,
    generation,
    image_edits,
    images,
    messages,
    metrics,
    models,
    ollama,
    ollama_models,
    responses,
    status,
    stored_responses,
    usage,
    usage_report,
)

_ANTHROPIC = {models.ANTHROPIC_VERSION: messages.ANTHROPIC}


def _gemini_routes(prefix: str) -> tuple[Route, ...]:
    """The methods of Google's models. They precede `/v1/models/{model}`, which would match their paths too."""
    named = f"{prefix}/models/{{model:.+}}"
    return tuple(
        Route("POST", f"{named}:{method}", handler, scope, error_format=gemini.GEMINI)
        for method, handler, scope in (
            ("generateContent", gemini.generate_content, "chat"),
            ("streamGenerateContent", gemini.stream_generate_content, "chat"),
            ("countTokens", gemini.count_tokens, "chat"),
            ("embedContent", gemini.embed_content, "embeddings"),
            ("batchEmbedContents", gemini.batch_embed_contents, "embeddings"),
        )
    )


ROUTES = (
    *_gemini_routes("/v1"),
    *_gemini_routes(gemini.PREFIX),
    Route("GET", "/v1beta/models", gemini.list_models, "models", error_format=gemini.GEMINI),
    Route("GET", "/v1beta/models/{model:.+}", gemini.get_model, "models", error_format=gemini.GEMINI),
    Route("GET", "/v1/models", models.list_models, "models", formats=_ANTHROPIC),
    Route("GET", "/v1/models/{model:.+}", models.get_model, "models", formats=_ANTHROPIC),
    Route("POST", "/v1/chat/completions", generate.chat, "chat"),
    Route("POST", "/v1/completions", generate.completions, "completions"),
    Route("POST", "/v1/embeddings", generate.embeddings, "embeddings"),
    Route("POST", "/v1/images/generations", generate.image_generations, "images"),
    Route("POST", "/v1/images/edits", image_edits.image_edits, "images"),
    Route("POST", "/v1/responses", responses.responses, "responses"),
    Route("GET", "/v1/responses/{response}", stored_responses.get_response, "responses"),
    Route("DELETE", "/v1/responses/{response}", stored_responses.delete_response, "responses"),
    Route("GET", "/v1/responses/{response}/input_items", stored_responses.list_input_items, "responses"),
    Route("POST", "/v1/messages", messages.messages, "messages", error_format=messages.ANTHROPIC),
    Route("POST", "/v1/messages/count_tokens", messages.count_tokens, "messages", error_format=messages.ANTHROPIC),
    Route("POST", "/v1/audio/transcriptions", audio.transcriptions, "audio"),
    Route("POST", "/v1/audio/speech", audio.speech, "audio"),
    Route("GET", "/v1/audio/models", audio.list_models, "audio"),
    Route("GET", "/v1/audio/voices", audio.list_voices, "audio"),
    Route("POST", images.UPLOAD_PATH, images.upload, "chat"),
    Route("GET", f"{images.PATH}/{{conversation}}/{{message}}/{{filename}}", images.show, public=True),
    Route("GET", "/v1/health", status.health, public=True),
    Route("GET", "/v1/status", status.status, "status"),
    Route("GET", "/v1/generation", generation.generation, "generation"),
    Route("GET", "/v1/usage", usage.usage, "usage"),
    Route("GET", "/v1/metrics", metrics.metrics, "metrics"),
    Route("GET", usage_report.PATH, usage_report.usage_report, "admin", page=usage_report.page),
)

OLLAMA_ROUTES = (
    Route("POST", "/api/chat", ollama.chat, "chat", error_format=ollama.OLLAMA),
    Route("POST", "/api/generate", ollama.generate, "completions", error_format=ollama.OLLAMA),
    Route("POST", "/api/embed", ollama.embed, "embeddings", error_format=ollama.OLLAMA),
    Route("POST", "/api/embeddings", ollama.embeddings, "embeddings", error_format=ollama.OLLAMA),
    Route("GET", "/api/tags", ollama_models.tags, "models", error_format=ollama.OLLAMA),
    Route("GET", "/api/ps", ollama_models.running, "models", error_format=ollama.OLLAMA),
    Route("POST", "/api/show", ollama_models.show, "models", error_format=ollama.OLLAMA),
    Route("POST", "/api/pull", ollama_models.pull, "models", error_format=ollama.OLLAMA),
    Route("GET", "/api/version", ollama_models.version, "models", error_format=ollama.OLLAMA),
)
"""Routes of a separate port only: on Home Assistant's port, `/api` is its own API."""

OWN_PORT_ROUTES = (
    *OLLAMA_ROUTES,
    Route("GET", "/metrics", metrics.metrics, "metrics"),
    Route("POST", enroll.PATH, enroll.enroll, public=True),
    Route("GET", f"{enroll.PATH}/{{request}}", enroll.state, public=True),
)
"""Routes of a separate port, in addition to `ROUTES`."""
