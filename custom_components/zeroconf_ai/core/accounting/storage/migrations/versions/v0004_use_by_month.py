"""Use by month, key and user."""

from calendar import monthrange
from datetime import date

from alembic import op
import sqlalchemy as sa

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOSE = ("key_id", "currency", "user_id")
COUNTS = (
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
SECONDS = ("duration", "first_token")


def upgrade() -> None:
    """Make the table and fill it with the sums of the days."""
    months = op.create_table(
        "key_months",
        sa.Column("month", sa.Date, nullable=False),
        *(sa.Column(text, sa.Text, nullable=False) for text in WHOSE),
        sa.Column("key_name", sa.Text),
        *(sa.Column(number, sa.BigInteger, nullable=False) for number in COUNTS),
        *(sa.Column(number, sa.Double, nullable=False) for number in SECONDS),
        sa.PrimaryKeyConstraint("month", *WHOSE, name="pk_key_months"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_key_months_key_id_month", "key_months", ["key_id", "month"])
    op.create_index("ix_key_months_user_id_month", "key_months", ["user_id", "month"])
    names = [*WHOSE, "key_name", *COUNTS, *SECONDS]
    days = sa.table("key_rollups", sa.column("day", sa.Date), *map(sa.column, names))
    for month in _months(days):
        values = {
            "month": sa.literal(month, sa.Date),
            **{name: days.c[name] for name in WHOSE},
            "key_name": sa.func.max(days.c.key_name),
            **{name: sa.func.sum(days.c[name]) for name in (*COUNTS, *SECONDS)},
        }
        of_month = days.c.day >= month, days.c.day <= month.replace(day=monthrange(month.year, month.month)[1])
        found = sa.select(*values.values()).where(*of_month).group_by(*(days.c[name] for name in WHOSE))
        op.execute(months.insert().from_select(list(values), found))


def downgrade() -> None:
    """Drop it: the days have it all."""
    op.drop_table("key_months")


def _months(days: sa.TableClause) -> list[date]:
    """The first days of the months of which there are sums."""
    found = op.get_bind().scalars(sa.select(days.c.day).distinct())
    return sorted({day.replace(day=1) for day in found})
