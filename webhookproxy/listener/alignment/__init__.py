"""Two sockets of one company bring the same events: which of them are copies. No clock decides."""
