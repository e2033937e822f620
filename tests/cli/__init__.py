"""The command line in the hands of an administrator and of a script."""
