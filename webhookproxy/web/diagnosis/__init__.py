"""The checks that say why events do not arrive."""
