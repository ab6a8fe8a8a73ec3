"""The title of a conversation, its messages and their images."""

from alembic import op
import sqlalchemy as sa

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns and two tables. Conversations of earlier versions are no chats: they have no messages."""
    op.add_column("conversations", sa.Column("title", sa.Text))
    op.add_column("conversations", sa.Column("is_chat", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "messages",
        _row_id(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_messages"),
        sa.UniqueConstraint("conversation_id", "id", name="uq_messages_conversation_id_id"),
    )
    op.create_index("ix_messages_id", "messages", ["id"])
    op.create_table(
        "images",
        _row_id(),
        sa.Column("conversation_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_images"),
        sa.UniqueConstraint("conversation_id", "message_id", "filename", name="uq_images_conversation_id_message_id_filename"),
    )


def downgrade() -> None:
    """Drop them, with what they hold; chats are lost."""
    op.execute("DELETE FROM conversations WHERE is_chat")
    op.drop_table("images")
    op.drop_table("messages")
    op.drop_column("conversations", "is_chat")
    op.drop_column("conversations", "title")


def _row_id() -> sa.Column[int]:
    return sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False)
