"""The tables, as the newest migration leaves them (`migrations/versions`; a test holds the two together).

Times are seconds since the epoch, money is whole nano-units. Texts are bounded where they are written.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
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
    # An id of our own: the request's may be the client's choice, and one used twice must not hide a record.
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
    Column("duration", Double, nullable=False),
    Column("first_token", Double),
    Column("finish_reason", Text),
    Column("error_code", Text),
    Column("caller", Text, nullable=False),
    Column("key_id", Text),
    Column("user_id", Text),
    Column("address", Text),
    Index(None, "id"),
    Index(None, "created"),
    Index(None, "key_id", "created"),
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
)

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
