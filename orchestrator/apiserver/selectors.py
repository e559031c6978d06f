"""The selectors of a request: which objects it is about."""

from dataclasses import dataclass

from orchestrator.api.fields import FieldSelector, parse_field_selector
from orchestrator.api.labels import Selector, parse_label_selector
from orchestrator.api.resources import Resource
from orchestrator.apiserver.request import Query
from orchestrator.kit.errors import BadRequest
from orchestrator.store.objects import StoredObject


@dataclass(frozen=True, slots=True)
class Filter:
    """Label and field selector; None matches everything.

    Attributes:
        labels: over metadata.labels.
        fields: over the kind's selectable fields.
        name: only the object of this name; "" for any.
    """

    labels: Selector | None = None
    fields: FieldSelector | None = None
    name: str = ""

    def __bool__(self) -> bool:
        """Whether anything can be filtered out."""
        return self.labels is not None or self.fields is not None or bool(self.name)

    def matches(self, item: StoredObject) -> bool:
        """Whether an object passes."""
        if self.name and item.key.name != self.name:
            return False
        if self.labels is not None and not self.labels.matches(item.labels):
            return False
        return self.fields is None or self.fields.matches(item.field)


def read_filter(query: Query, resource: Resource, name: str = "") -> Filter:
    """The request's selectors.

    Raises:
        BadRequest: a selector that cannot be read, or a field that the kind cannot be selected by.
    """
    try:
        labels = parse_label_selector(query.text("labelSelector"))
        further = resource.custom.selectable if resource.custom is not None else None
        fields = parse_field_selector(query.text("fieldSelector"), resource.group_resource, further)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return Filter(labels or None, fields or None, name)
