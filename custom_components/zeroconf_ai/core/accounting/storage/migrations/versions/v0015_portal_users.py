"""People who sign in to the portal, and their sessions."""

from alembic import op
import sqlalchemy as sa

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and the counter of their changes."""
    op.create_table(
        "portal_users",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("signed_in", sa.Double, nullable=False),
        sa.Column("blocked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_portal_users"),
        sa.UniqueConstraint("issuer", "subject", name="uq_portal_users_issuer_subject"),
    )
    op.create_table(
        "portal_sessions",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_portal_sessions"),
    )
    op.create_index("ix_portal_sessions_user_id", "portal_sessions", ["user_id"])
    op.create_index("ix_portal_sessions_expires", "portal_sessions", ["expires"])
    op.execute("INSERT INTO counters (name, value) VALUES ('users', 0)")


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.execute("DELETE FROM counters WHERE name = 'users'")
    op.drop_table("portal_sessions")
    op.drop_table("portal_users")
