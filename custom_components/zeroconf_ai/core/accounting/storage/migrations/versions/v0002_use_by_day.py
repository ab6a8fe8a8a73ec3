"""Whose price a cost is, use by day, what was said where the owner wants that kept, and who changed what."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SUMS = (
    "requests",
    "errors",
    "cancelled",
    "estimated",
    "priced",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "cost",
    "first_tokens",
)


def upgrade() -> None:
    """Add columns and make tables."""
    with op.batch_alter_table("generations") as generations:
        generations.add_column(sa.Column("cost_source", sa.Text))
        generations.add_column(sa.Column("currency", sa.String(8), nullable=False, server_default="USD"))
    op.create_index("ix_generations_user_id_created", "generations", ["user_id", "created"])
    _rollups("rollups", [])
    _rollups("key_rollups", ["key_id", "user_id"], sa.Column("key_name", sa.Text))
    op.create_index("ix_key_rollups_key_id_day", "key_rollups", ["key_id", "day"])
    op.create_index("ix_key_rollups_user_id_day", "key_rollups", ["user_id", "day"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("last_used", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("username", sa.Text),
        sa.Column("display_name", sa.Text),
        sa.Column("key_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_table(
        "bodies",
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("generation_id", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("conversation_id", sa.Text),
        sa.Column("key_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("request", sa.Text),
        sa.Column("response", sa.Text),
        sa.PrimaryKeyConstraint("row_id", name="pk_bodies"),
    )
    op.create_index("ix_bodies_generation_id", "bodies", ["generation_id"])
    for table, time in (("conversations", "last_used"), ("bodies", "created")):
        for column in (time, "key_id", "user_id"):
            op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_table(
        "audit",
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def downgrade() -> None:
    """Drop them, with all that is in them."""
    for table in ("audit", "bodies", "conversations", "key_rollups", "rollups"):
        op.drop_table(table)
    op.drop_index("ix_generations_user_id_created", "generations")
    with op.batch_alter_table("generations") as generations:
        generations.drop_column("currency")
        generations.drop_column("cost_source")


def _rollups(name: str, whose: list[str], *others: sa.Column[str]) -> None:
    texts = ["source", "model", "backend_id", *whose, "currency"]
    op.create_table(
        name,
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(text, sa.Text, nullable=False) for text in texts),
        sa.Column("backend_name", sa.Text),
        *others,
        *(sa.Column(number, sa.BigInteger, nullable=False) for number in SUMS),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("first_token", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("day", *texts, name=f"pk_{name}"),
    )
