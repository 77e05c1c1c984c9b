"""A shared cache in PostgreSQL."""
