"""One file per command group; each has `register(app)`. What a command needs is imported when it runs."""
