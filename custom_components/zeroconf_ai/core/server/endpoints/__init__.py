"""One file per group of paths: what is answered there. `ROUTES` lists them all."""

from ..dispatch import Route
from . import generate, messages, models, responses, status

ROUTES = (
    Route("GET", "/v1/models", models.list_models, "models"),
    Route("GET", "/v1/models/{model:.+}", models.get_model, "models"),
    Route("POST", "/v1/chat/completions", generate.chat, "chat"),
    Route("POST", "/v1/completions", generate.completions, "completions"),
    Route("POST", "/v1/embeddings", generate.embeddings, "embeddings"),
    Route("POST", "/v1/responses", responses.responses, "responses"),
    Route("POST", "/v1/messages", messages.messages, "messages", manners=messages.ANTHROPIC),
    Route("POST", "/v1/messages/count_tokens", messages.count_tokens, "messages", manners=messages.ANTHROPIC),
    Route("GET", "/v1/health", status.health, public=True),
    Route("GET", "/v1/status", status.status, "status"),
)
