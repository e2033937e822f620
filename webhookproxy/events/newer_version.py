"""What is raised for a stored setting that only a newer version of this program knows."""

from __future__ import annotations


class NewerVersion(ValueError):
    """The text is an English sentence; the error page has the Portuguese one."""

    def __init__(self) -> None:
        super().__init__(
            "A newer version of this program stored a setting that this one does not know: go back "
            "to the newer version to change this webhook."
        )
