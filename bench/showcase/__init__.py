"""A day of an installation: the data of the pictures and of the walk over the pages.

The companies are invented, the failures are realistic. `python -m bench.showcase FOLDER` serves it.
"""
