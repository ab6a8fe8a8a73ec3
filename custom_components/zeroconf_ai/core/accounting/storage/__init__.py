"""The database: connections, tables, migrations, queued writes."""
