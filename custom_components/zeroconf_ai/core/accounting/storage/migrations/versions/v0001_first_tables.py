"""Generations, keys and sessions."""

from alembic import op
import sqlalchemy as sa

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "generations",
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("requested_model", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("backend_id", sa.Text),
        sa.Column("backend_name", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_1h_tokens", sa.BigInteger, nullable=False),
        sa.Column("upstream_cost", sa.BigInteger),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("cost", sa.BigInteger),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("first_token", sa.Double),
        sa.Column("finish_reason", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("address", sa.Text),
        sa.PrimaryKeyConstraint("row_id", name="pk_generations"),
    )
    op.create_index("ix_generations_id", "generations", ["id"])
    op.create_index("ix_generations_created", "generations", ["created"])
    op.create_index("ix_generations_key_id_created", "generations", ["key_id", "created"])
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("former_digest", sa.LargeBinary(32)),
        sa.Column("former_until", sa.Double),
        sa.Column("user_id", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("endpoints", sa.JSON, nullable=False),
        sa.Column("background", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double),
        sa.Column("last_used", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.bulk_insert(counters, [{"name": "keys", "value": 0}])
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("backend_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("last_used", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sessions"),
    )
    op.create_index("ix_sessions_last_used", "sessions", ["last_used"])


def downgrade() -> None:
    """Drop them, with all that is in them."""
    for table in ("sessions", "counters", "keys", "generations"):
        op.drop_table(table)
