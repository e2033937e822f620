"""Whether an answer with a 2xx is a success, by the webhook's own rule."""

from __future__ import annotations

import logging

from webhookproxy.events.conditions import Compiled, Condition, Operator, read_payload
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules.success import OF_FIELD, read_success_rule

logger = logging.getLogger(__name__)


class SuccessTest:
    """A rule, made ready for many answers."""

    def __init__(self, rule: Condition) -> None:
        self._rule = rule
        self._field = Compiled([rule]) if rule.operator in OF_FIELD else None
        self._text = rule.value.casefold()

    @classmethod
    def of(cls, webhook: Webhook) -> SuccessTest | None:
        """Return the test of a webhook; None if any 2xx is a success."""
        try:
            rule = read_success_rule(webhook.success_rule)
        except NewerVersion:
            # The version that stored it is not this one; earlier versions have no rules at all.
            logger.warning("webhook_%d: its rule of success is of another version", webhook.id)
            return None
        return None if rule is None else cls(rule)

    def failing(self, answer: str) -> str | None:
        """Return what the answer does not meet, in our words; None for a success."""
        rule = self._rule
        if self._field is None:
            contains = self._text in answer.casefold()
            if contains == (rule.operator is Operator.CONTAINS):
                return None
            return f"{'contém' if contains else 'não contém'} “{rule.value}”"
        try:
            found = read_payload(answer)
        except ValueError:
            return f"não é JSON, ou passa de 16 KB, e a regra pede {rule.path}"
        if self._field.failing(found) is None:
            return None
        if rule.operator is Operator.EXISTS:
            return f"não tem o campo {rule.path}"
        return f"{rule.path} não é igual a {rule.value}"
