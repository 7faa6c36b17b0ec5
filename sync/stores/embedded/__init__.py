"""A commerce store that is one SQL database: SQLite by default, or PostgreSQL."""
