"""A day in the life of an installation: the data of the pictures and of the walk over the pages.

Invented companies, real-looking failures. `python -m bench.showcase FOLDER` serves it.
"""
