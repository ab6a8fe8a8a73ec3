"""Client certificates, which are identities like API keys."""

from alembic import op
import sqlalchemy as sa

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. NULL: a key with a secret, as the keys that exist."""
    op.add_column("keys", sa.Column("certificate_expires", sa.Double))


def downgrade() -> None:
    """Drop the column, and the rows of certificates: version 12 would take them for API keys."""
    op.execute("DELETE FROM keys WHERE certificate_expires IS NOT NULL")
    op.drop_column("keys", "certificate_expires")
