"""How people are told of problems: their addresses, what is watched, and what was told."""
