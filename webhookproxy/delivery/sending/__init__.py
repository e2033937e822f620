"""One attempt: the request, the connection, and the answer."""
