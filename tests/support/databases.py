"""On which databases a test runs."""

from __future__ import annotations

import pytest

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# For a test that starts processes: on PostgreSQL it is left to "bin/test --all".
QUICK_ON_SQLITE = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=(pytest.mark.postgresql, pytest.mark.slow))],
    indirect=True,
)
