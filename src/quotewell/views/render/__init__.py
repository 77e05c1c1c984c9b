"""Screens of the command line: structs of the report in, lines of text out; no I/O but in `terminal`."""
