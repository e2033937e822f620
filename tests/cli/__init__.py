"""The command line, as an administrator and a script use it."""
