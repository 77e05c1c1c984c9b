"""A shared cache in Valkey or Redis."""
