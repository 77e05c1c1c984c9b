"""What people and programs see: the command line, and later the HTTP API and the page."""
