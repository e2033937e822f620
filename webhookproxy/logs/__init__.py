"""The output of the server: log lines, without secrets."""
