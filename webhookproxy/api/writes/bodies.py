"""The bodies of companies and webhooks: declared data, read by its own shapes."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import GetJsonSchemaHandler, RootModel
from pydantic_core import CoreSchema

from webhookproxy.declared.companies import COMPANY
from webhookproxy.declared.groups import Record
from webhookproxy.declared.webhooks import WEBHOOK
from webhookproxy.rules import Problems


class DeclaredBody(RootModel[dict[str, Any]]):
    """The base of a body that a shape reads."""

    shape: ClassVar[Record]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema of the shape, which is that of the file too."""
        return cls.shape.schema()

    def read(self) -> dict[str, Any]:
        """Return the fields that came. Raises Refused with all mistakes and their places."""
        problems = Problems()
        found = self.shape.read(self.root, "", problems)
        problems.raise_any()
        return found


class NewCompanyBody(DeclaredBody):
    """A company to register."""

    shape = Record(COMPANY.fields, required=("name", "token"))


class CompanyBody(DeclaredBody):
    """The fields of a company that change."""

    shape = COMPANY


class NewWebhookBody(DeclaredBody):
    """A webhook to create."""

    shape = Record(WEBHOOK.fields, required=("name", "url"))


class WebhookBody(DeclaredBody):
    """The fields of a webhook that change; a blank value of a header keeps the stored one."""

    shape = WEBHOOK
