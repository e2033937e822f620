"""Work that an administrator asks for: backup, key rotation, privacy."""
