"""The stored admission policies, and what they say to a write.

They follow the store's events, so a policy counts from the moment its write was answered. With none
stored and bound, a write costs one look at `hooks`. What they decide is decided in `api/admission`;
here the objects are found that it takes: namespaces, parameters, the rows of other versions.

Asked is whoever acts for somebody: users, and controllers by the names that they have in
Kubernetes. Not asked is the server itself: what hosts report, events, and the objects that every
cluster has. Policies and their bindings are exempt, so that a bad one can be taken back.

Source: Kubernetes docs, "Validating Admission Policy"; KEP-3488.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.admission import authority, evaluation
from orchestrator.api.admission.expression import AUTHORIZER, NAMESPACE, OBJECT, OLD, REQUEST
from orchestrator.api.admission.matching import ALL, Constraints, constraints_of, matched
from orchestrator.api.admission.policy import (
    Binding,
    Params,
    Policy,
    binding_of,
    fails,
    policy_of,
)
from orchestrator.api.admission.question import Question, request_document
from orchestrator.api.admission.words import BINDINGS, ENABLE, POLICIES
from orchestrator.api.conversion.versions import from_stored
from orchestrator.api.expressions import available
from orchestrator.api.resources import Resource
from orchestrator.kit.errors import ApiError, Cause, EntityTooLarge, Forbidden, Invalid
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.catalog import LiveCatalog
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.store import Store

_EXEMPT: Final = frozenset({POLICIES, BINDINGS})
_KINDS: Final[Mapping[str, type[ApiError]]] = {
    "Forbidden": Forbidden, "RequestEntityTooLarge": EntityTooLarge,
}  # fmt: skip
_DROPPED: Final = frozenset({"managedFields", "ownerReferences", "selfLink"})
"""What a namespaceObject has no part of."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A policy with its bindings.

    Attributes:
        name: of the policy.
        constraints: whom it is about.
        policy: ready; None when it cannot be evaluated.
        trouble: why not.
        fails: whether it then refuses.
        bindings: by name; at least one.
    """

    name: str
    constraints: Constraints
    policy: Policy | None
    trouble: str
    fails: bool
    bindings: tuple[Binding, ...]


class AdmissionPolicies:
    """See the module. Follows the store from its creation on.

    Attributes:
        hooks: policies that are bound, by name; empty when nobody has to be asked.
        catalog: of what is served.
        may: what users are permitted, for expressions that ask it; set by who knows.
    """

    def __init__(self, store: Store, catalog: LiveCatalog) -> None:
        self._store = store
        self.catalog: Final = catalog
        self._made: dict[ObjectKey, tuple[StoredObject, Hook]] = {}
        self.hooks: tuple[Hook, ...] = ()
        self.may: authority.May = authority.nobody
        self.close: Final[Callable[[], None]] = store.subscribe(self._follow)
        self._rebuild()

    def _follow(self, event: StoreEvent) -> None:
        if event.object.key.resource in _EXEMPT:
            self._rebuild()

    def _rebuild(self) -> None:
        bound: dict[str, list[Binding]] = {}
        for item in self._store.list(BINDINGS):
            binding = binding_of(item.doc)
            bound.setdefault(binding.policy, []).append(binding)
        known, self._made = self._made, {}
        hooks: list[Hook] = []
        for item in self._store.list(POLICIES):
            made = known.get(item.key)
            hook = made[1] if made is not None and made[0] is item else _hook(item)
            self._made[item.key] = (item, hook)
            if item.key.name in bound:
                hooks.append(_bound(hook, bound[item.key.name]))
        self.hooks = tuple(hooks)

    def concern(self, resource: Resource) -> bool:
        """Whether a policy may be about objects of a row; False is certain."""
        wanted = {ALL, resource.plural}
        return any(
            plural in wanted
            for hook in self.hooks
            for rule in hook.constraints.rules
            for plural, _ in rule.resources
        )

    def review(self, question: Question, warnings: list[str]) -> None:
        """Asks every policy.

        Args:
            question: the request; objects in the stored version.
            warnings: sentences for `Warning:` headers are appended.

        Raises:
            ApiError: the first refusal, in the order of the policies' and bindings' names.
        """
        if question.resource.resource in _EXEMPT:
            return
        _Review(self._store, self.catalog, self.may, question, warnings).ask(self.hooks)


class _Review:
    """One request on its way through the policies."""

    def __init__(
        self,
        store: Store,
        catalog: LiveCatalog,
        may: authority.May,
        question: Question,
        warnings: list[str],
    ) -> None:
        self._store = store
        self._catalog = catalog.current
        self._may = may
        self._question = question
        self._warnings = warnings
        self._scenes: dict[str, evaluation.Scene] = {}
        found = store.get(ObjectKey("namespaces", "", question.namespace))
        self._namespace = found.doc if found is not None and question.namespace else None
        self._equivalents: list[Resource] | None = None

    def ask(self, hooks: tuple[Hook, ...]) -> None:
        """See `AdmissionPolicies.review`; warnings of later policies come although one refuses."""
        refusal: ApiError | None = None
        for hook in hooks:
            row = self._matched(hook.constraints)
            if row is None:
                continue
            if hook.policy is None:
                if hook.fails:
                    text = f"failed to configure policy: {hook.trouble}"
                    refusal = refusal or self._refusal(hook.name, "", evaluation.Denial(text))
                continue
            for binding in hook.bindings:
                if self._matched(binding.constraints) is not None:
                    found = self._asked(hook.policy, binding, row)
                    refusal = refusal or found
        if refusal is not None:
            raise refusal

    def _asked(self, policy: Policy, binding: Binding, row: Resource) -> ApiError | None:
        try:
            every = self._params(policy, binding)
        except ValueError as error:
            if not policy.fails:
                return None
            denial = evaluation.Denial(f"failed to configure {error}")
            return self._refusal(policy.name, binding.name, denial)
        refusal: ApiError | None = None
        for params in every:
            for denial in evaluation.decide(policy, self._scene(row), params):
                if "Deny" in binding.actions:
                    refusal = refusal or self._refusal(policy.name, binding.name, denial)
                if "Warn" in binding.actions:
                    self._warn(
                        f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with "
                        f"binding '{binding.name}': {denial.message}"
                    )
        return refusal

    def _warn(self, text: str) -> None:
        if text not in self._warnings:  # a write that lost a race asks again
            self._warnings.append(text)

    def _matched(self, constraints: Constraints) -> Resource | None:
        if self._equivalents is None:
            stored = self._question.resource.resource
            self._equivalents = [row for row in self._catalog.rows if row.resource == stored]
        return matched(constraints, self._question, self._equivalents, self._namespace)

    def _params(self, policy: Policy, binding: Binding) -> list[Mapping[str, Any] | None]:
        """The objects to evaluate a policy with; one None when it has no parameters.

        Raises:
            ValueError: they cannot be found; "policy: ..." or "binding: ...".
        """
        if policy.param_kind is None:
            return [None]
        row = self._catalog.by_kind(*policy.param_kind)
        if row is None or not row.stored:
            version, kind = policy.param_kind
            raise ValueError(
                f"policy: failed to find resource referenced by paramKind: '{version}, Kind={kind}'"
            )
        if binding.params is None:
            return [None]
        items = self._items(row, binding.params)
        if not items and binding.params.required:
            raise ValueError(
                "binding: no params found for policy binding with `Deny` parameterNotFoundAction"
            )
        return [from_stored(row, item.doc) for item in items]

    def _items(self, row: Resource, params: Params) -> list[StoredObject]:
        namespace = params.namespace
        if row.namespaced and not namespace:
            namespace = "" if self._question.is_namespace else self._question.namespace
            if not namespace:
                raise ValueError(
                    "binding: cannot use namespaced paramRef in policy binding that matches "
                    "cluster-scoped resources"
                )
        if namespace and not row.namespaced:
            raise ValueError(
                "binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        if params.name:
            found = self._store.get(ObjectKey(row.resource, namespace, params.name))
            return [] if found is None else [found]
        selector = params.selector
        return [
            item
            for item in self._store.list(row.resource, namespace)
            if selector is None or selector.matches(item.doc["metadata"].get("labels"))
        ]

    def _scene(self, row: Resource) -> evaluation.Scene:
        """The request in the version of a row; made once for each."""
        scene = self._scenes.get(row.api_version)
        if scene is None:
            question = self._question
            inside = None if question.is_namespace else self._namespace
            values = {
                OBJECT: _shown(row, question, question.object),
                OLD: _shown(row, question, question.old),
                REQUEST: request_document(question, row),
                NAMESPACE: _namespace_object(inside),
                AUTHORIZER: authority.starting_words(question),
            }
            functions = authority.functions(question.user, self._may)
            scene = self._scenes[row.api_version] = evaluation.Scene(values, functions)
        return scene

    def _refusal(self, policy: str, binding: str, denial: evaluation.Denial) -> ApiError:
        question = self._question
        resource = question.resource
        with_binding = f" with binding '{binding}'" if binding else ""
        text = (
            f"ValidatingAdmissionPolicy '{policy}'{with_binding} denied request: {denial.message}"
        )
        name = f' "{question.name}"' if question.name else ""
        return _KINDS.get(denial.reason, Invalid)(
            f"{resource.group_resource}{name} is forbidden: {text}",
            name=question.name,
            group=resource.group,
            kind=resource.plural,
            causes=(Cause("", text),),
        )


def _hook(item: StoredObject) -> Hook:
    document, trouble, policy = item.doc, "", None
    try:
        policy = policy_of(document)
    except ValueError as error:  # it was stored by a server that could
        trouble = str(error) if available() else ENABLE
    match = (document.get("spec") or {}).get("matchConstraints")
    return Hook(item.key.name, constraints_of(match), policy, trouble, fails(document), ())


def _bound(hook: Hook, bindings: list[Binding]) -> Hook:
    return Hook(hook.name, hook.constraints, hook.policy, hook.trouble, hook.fails, tuple(bindings))


def _shown(
    row: Resource, question: Question, document: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """An object in the version of a row."""
    if document is None or question.own_body:
        return document
    return from_stored(row, dict(document))


def _namespace_object(namespace: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if namespace is None:
        return None
    meta = {k: v for k, v in namespace["metadata"].items() if k not in _DROPPED}
    return {
        "metadata": meta,
        "spec": namespace.get("spec") or {},
        "status": namespace.get("status") or {},
    }
