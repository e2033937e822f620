"""The limits from which a webhook counts as failing, refusing or behind."""

from __future__ import annotations

# Failing: this number of failed attempts in a row, and no success for this time. An open circuit is
# failing too. It is over with the first success, unless it fails again within the same time.
FAILURES = 3
FAILING_MS = 60_000
# Refusing: of the first attempts within the window at least this number, and this share, were
# refused. It is over when the share stayed below the lower one for this time.
WINDOW_MS = 15 * 60_000
REFUSALS = 5
REFUSING_SHARE = 0.20
WELL_SHARE = 0.10
WELL_MS = 30 * 60_000
# Behind: events wait longer than this for their first attempt, and no less than this time ago.
BEHIND_MS = 5 * 60_000
