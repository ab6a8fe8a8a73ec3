"""The seconds of recordings and the spoken characters, of each record and in the sums."""

from alembic import op
import sqlalchemy as sa

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SUMS = ("rollups", "key_rollups", "key_months")


def upgrade() -> None:
    """Add the columns. Those of requests that were recorded before are unknown, and count nothing in the sums."""
    op.add_column("generations", sa.Column("audio_seconds", sa.Double))
    op.add_column("generations", sa.Column("speech_characters", sa.BigInteger))
    for table in SUMS:
        op.add_column(table, sa.Column("audio_seconds", sa.Double, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("speech_characters", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in (*reversed(SUMS), "generations"):
        op.drop_column(table, "speech_characters")
        op.drop_column(table, "audio_seconds")
