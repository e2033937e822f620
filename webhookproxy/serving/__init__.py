"""The server process: its connections, its proxies, and the start of the engine inside it."""
