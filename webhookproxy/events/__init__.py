"""Events as functions of their text, without a database."""
