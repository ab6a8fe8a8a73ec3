"""The tables as of the newest migration (`migrations/versions`; a test compares the two).

Times are seconds since the epoch, money is whole nano-units. Texts are truncated when written.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

generations = Table(
    "generations",
    metadata,
    # A surrogate key: clients may choose request ids, and a repeated id must not hide a record.
    Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("requested_model", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("model", Text),
    Column("backend_id", Text),
    Column("backend_name", Text),
    Column("attempts", Integer, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("upstream_cost", BigInteger),
    Column("estimated", Boolean, nullable=False),
    Column("cost", BigInteger),
    Column("cost_source", Text),
    Column("currency", String(8), nullable=False, server_default="USD"),
    Column("duration", Double, nullable=False),
    Column("first_token", Double),
    Column("finish_reason", Text),
    Column("error_code", Text),
    Column("caller", Text, nullable=False),
    Column("key_id", Text),
    Column("user_id", Text),
    Column("address", Text),
    Column("answer_id", Text),
    Column("provider_health", Text),
    Column("prompt_cost", BigInteger),
    Column("failed_attempts", JSON(none_as_null=True)),
    Column("energy", Double),
    Column("sent", Double),
    Column("first_byte", Double),
    Column("converted_cost", BigInteger),
    Column("converted_currency", String(8)),
    Column("audio_seconds", Double),
    Column("speech_characters", BigInteger),
    Index(None, "id"),
    Index(None, "answer_id"),
    Index(None, "created"),
    Index(None, "key_id", "created"),
    Index(None, "user_id", "created"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("former_digest", LargeBinary(32)),
    Column("former_until", Double),
    Column("user_id", Text),
    Column("device", Text),
    Column("models", JSON, nullable=False),
    Column("endpoints", JSON, nullable=False),
    Column("background", Boolean, nullable=False, server_default=false()),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("last_used", Double),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Column("parallel", BigInteger),
    Column("disabled_by", Text),
    Column("llm_apis", JSON),
    Column("hosted_tools", JSON),
    Column("home_only", Boolean, nullable=False, server_default=false()),
    Column("certificate_expires", Double),
)

key_labels = Table(
    "key_labels",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("label", Text, primary_key=True),
    Index(None, "label"),
)
"""Kept after a key is revoked, as long as its usage is."""

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("backend_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("last_used", Double, nullable=False),
    Index(None, "last_used"),
)


def _numbers() -> list[Column[Any]]:
    """The summed columns."""
    return [
        Column("requests", BigInteger, nullable=False),
        Column("errors", BigInteger, nullable=False),
        Column("cancelled", BigInteger, nullable=False),
        Column("estimated", BigInteger, nullable=False),
        Column("priced", BigInteger, nullable=False),
        Column("prompt_tokens", BigInteger, nullable=False),
        Column("completion_tokens", BigInteger, nullable=False),
        Column("cached_tokens", BigInteger, nullable=False),
        Column("reasoning_tokens", BigInteger, nullable=False),
        Column("cache_write_tokens", BigInteger, nullable=False),
        Column("cache_write_1h_tokens", BigInteger, nullable=False),
        Column("cost", BigInteger, nullable=False),
        Column("first_tokens", BigInteger, nullable=False),
        Column("duration", Double, nullable=False),
        Column("first_token", Double, nullable=False),
        Column("failed_attempts", BigInteger, nullable=False, server_default="0"),
        Column("energy_cost", BigInteger, nullable=False, server_default="0"),
        Column("budget_cost", BigInteger, nullable=False, server_default="0"),
        Column("energy", Double, nullable=False, server_default="0"),
        Column("audio_seconds", Double, nullable=False, server_default="0"),
        Column("speech_characters", BigInteger, nullable=False, server_default="0"),
    ]


def _rollups(name: str, *owners: str) -> Table:
    """A table of sums per day and per combination of texts; unknown texts are empty."""
    texts = ("source", "model", "backend_id", *owners, "currency")
    return Table(
        name,
        metadata,
        Column("day", Date, primary_key=True),
        *(Column(text, Text, primary_key=True) for text in texts),
        Column("backend_name", Text),
        *(Column("key_name", Text) for _ in owners[:1]),
        *_numbers(),
        *(Index(None, text, "day") for text in owners),
    )


rollups = _rollups("rollups")
"""Without keys and users, so that a month has a few hundred rows for any number of keys."""
key_rollups = _rollups("key_rollups", "key_id", "user_id")
key_months = Table(
    "key_months",
    metadata,
    Column("month", Date, primary_key=True),
    *(Column(text, Text, primary_key=True) for text in ("key_id", "currency", "user_id")),
    Column("key_name", Text),
    *_numbers(),
    Index(None, "key_id", "month"),
    Index(None, "user_id", "month"),
    sqlite_with_rowid=False,  # dialect spot: keeps the rows of a month adjacent
)
"""The sums of `key_rollups` by month, key, user and currency only: few rows per key for any number of models."""

opening_balances = Table(
    "opening_balances",
    metadata,
    Column("backend_id", Text, primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(8), nullable=False),
)
"""What Home Assistant's sensors of a backend show in addition to the sums (`usage.opening_balances`)."""

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Double, nullable=False),
    Column("last_used", Double, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("username", Text),
    Column("display_name", Text),
    Column("key_id", Text, index=True),
    Column("user_id", Text, index=True),
    Column("title", Text),
    # Whether it is a chat, which its owner sees as a list of messages. Others are what stored exchanges belong to.
    Column("is_chat", Boolean, nullable=False, server_default=false()),
)

messages = Table(
    "messages",
    metadata,
    Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, index=True),
    Column("conversation_id", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("details", JSON, nullable=False),
    UniqueConstraint("conversation_id", "id"),
)

images = Table(
    "images",
    metadata,
    Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("conversation_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    UniqueConstraint("conversation_id", "message_id", "filename"),
)
"""The images of messages. A message may follow its images."""

bodies = Table(
    "bodies",
    metadata,
    Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("generation_id", Text, nullable=False, index=True),
    Column("created", Double, nullable=False, index=True),
    Column("conversation_id", Text),
    Column("key_id", Text, index=True),
    Column("user_id", Text, index=True),
    Column("request", Text),
    Column("response", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("period", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("thresholds", JSON, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("label", String(10), primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("warned", Integer, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("budget_id", Text, primary_key=True),
    Column("label", String(10), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("expires", Double, nullable=False),
    Index(None, "expires"),
)

buckets = Table(
    "buckets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("level", Double, nullable=False),
    Column("at", Double, nullable=False),
    Index(None, "at"),
)

relay_connectors = Table(
    "relay_connectors",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", LargeBinary(32), nullable=False),
    Column("created", Double, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("last_seen", Double),
    UniqueConstraint("key"),
)

portal_users = Table(
    "portal_users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("groups", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("signed_in", Double, nullable=False),
    Column("blocked", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("issuer", "subject"),
)

portal_sessions = Table(
    "portal_sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("user_id", String(32), nullable=False, index=True),
    Column("expires", Double, nullable=False, index=True),
)

broker_links = Table(
    "broker_links",
    metadata,
    Column("connector_id", String(32), primary_key=True),
    Column("url", Text, primary_key=True),
    Column("beat", BigInteger, nullable=False),
)
