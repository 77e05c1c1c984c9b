"""The HTTP API: `app.create_app` makes it; needs the extra `web`."""
