"""Admission policies and their bindings.

Expressions are compiled here, so that none is stored that cannot be evaluated; where the library
is missing a policy is refused, for one that nobody keeps protects nobody.

Source: Kubernetes pkg/apis/admissionregistration/validation; the sentences are Kubernetes'.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from orchestrator.api import expressions, metadata
from orchestrator.api.admission.expression import compiled
from orchestrator.api.admission.words import ENABLE
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_selector

Document = dict[str, Any]

MOST_CONDITIONS: Final = 64
MOST_ANNOTATIONS: Final = 20
MOST_ANNOTATION_BYTES: Final = 5 * 1024
_ACTIONS: Final = frozenset({"Audit", "Deny", "Warn"})
_FAILURES: Final = frozenset({"Fail", "Ignore"})
_MATCHES: Final = frozenset({"Equivalent", "Exact"})
_NOT_FOUND: Final = frozenset({"Allow", "Deny"})
_OPERATIONS: Final = frozenset({"*", "CONNECT", "CREATE", "DELETE", "UPDATE"})
_REASONS: Final = frozenset({"Forbidden", "Invalid", "RequestEntityTooLarge"})
_SCOPES: Final = frozenset({"*", "Cluster", "Namespaced"})
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_NO_RULES: Final = "validations or auditAnnotations must contain at least one item"
_EXCLUSIVE: Final = "name and selector are mutually exclusive"


def validate_policy(faults: Faults, document: Document) -> None:
    """A ValidatingAdmissionPolicy."""
    if not expressions.available():
        faults.forbidden("spec", ENABLE)
        return
    spec = document.get("spec") or {}
    faults.check_choice("spec.failurePolicy", spec.get("failurePolicy", ""), _FAILURES)
    kind = spec.get("paramKind")
    if kind is not None:
        _param_kind(faults, "spec.paramKind", kind)
    if "matchConstraints" not in spec:
        faults.required("spec.matchConstraints")
    else:
        _match(faults, "spec.matchConstraints", spec["matchConstraints"])
        if not spec["matchConstraints"].get("resourceRules"):
            faults.required("spec.matchConstraints.resourceRules")
    params = kind is not None
    _conditions(faults, spec.get("matchConditions") or (), params)
    variables = _variables(faults, spec.get("variables") or (), params)
    validations = spec.get("validations") or ()
    annotations = spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        faults.required("spec.validations", _NO_RULES)
        faults.required("spec.auditAnnotations", _NO_RULES)
    for index, validation in enumerate(validations):
        _validation(faults, f"spec.validations[{index}]", validation, variables, params)
    name = document["metadata"].get("name", "")
    _annotations(faults, name, annotations, variables, params)


def validate_binding(faults: Faults, document: Document) -> None:
    """A ValidatingAdmissionPolicyBinding."""
    spec = document.get("spec") or {}
    policy = spec.get("policyName", "")
    if not policy:
        faults.required("spec.policyName")
    else:
        faults.check_words("spec.policyName", policy, metadata.is_subdomain(policy))
    if "paramRef" in spec:
        _param_ref(faults, "spec.paramRef", spec["paramRef"])
    if "matchResources" in spec:
        _match(faults, "spec.matchResources", spec["matchResources"])
    actions, field = spec.get("validationActions") or (), "spec.validationActions"
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            faults.unsupported(f"{field}[{index}]", action, _ACTIONS)
        if action in actions[:index]:
            faults.duplicate(f"{field}[{index}]", action)
    if {"Deny", "Warn"} <= set(actions):
        faults.invalid(
            field,
            actions,
            "must not contain both Deny and Warn (repeating the same validation failure "
            "information in the API response and headers serves no purpose)",
        )
    if not actions:
        faults.required(field, "at least one validation action is required")


# ------------------------------------------------------------ expressions


def _compiles(
    faults: Faults,
    field: str,
    text: str,
    *,
    params: bool,
    authorizer: bool = True,
    variables: Sequence[str] = (),
) -> None:
    try:
        compiled(text, params=params, authorizer=authorizer, variables=variables)
    except ValueError as error:
        faults.invalid(field, text, str(error))


def _conditions(faults: Faults, conditions: Sequence[Document], params: bool) -> None:
    field = "spec.matchConditions"
    if len(conditions) > MOST_CONDITIONS:
        text = f"Too many: {len(conditions)}: must have at most {MOST_CONDITIONS} items"
        faults.add("FieldValueTooMany", field, text)
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        here = f"{field}[{index}]"
        expression, name = condition.get("expression", ""), condition.get("name", "")
        if not expression.strip():
            faults.required(f"{here}.expression")
        else:
            _compiles(faults, f"{here}.expression", expression.strip(), params=params)
        if not name:
            faults.required(f"{here}.name")
            continue
        faults.check_words(f"{here}.name", name, metadata.is_qualified_name(name))
        if name in seen:
            faults.duplicate(f"{here}.name", name)
        seen.add(name)


def _variables(faults: Faults, variables: Sequence[Document], params: bool) -> list[str]:
    """Checks them; gives their names. Each knows those before it."""
    known: list[str] = []
    for index, variable in enumerate(variables):
        here = f"spec.variables[{index}]"
        name, expression = variable.get("name", ""), variable.get("expression", "")
        if not name.strip():
            faults.required(f"{here}.name", "name is not specified")
        elif not _IDENTIFIER.fullmatch(name) or name in expressions.RESERVED:
            faults.invalid(f"{here}.name", name, "name is not a valid CEL identifier")
        elif name in known:
            faults.duplicate(f"{here}.name", name)
        if not expression.strip():
            faults.required(f"{here}.expression", "expression is not specified")
        else:
            _compiles(faults, f"{here}.expression", expression, params=params, variables=known)
        known.append(name)
    return known


def _validation(
    faults: Faults, here: str, validation: Document, variables: Sequence[str], params: bool
) -> None:
    expression = validation.get("expression", "")
    if not expression.strip():
        faults.required(f"{here}.expression", "expression is not specified")
    else:
        _compiles(faults, f"{here}.expression", expression, params=params, variables=variables)
    spoken = validation.get("messageExpression", "")
    if spoken and not spoken.strip():
        faults.invalid(f"{here}.messageExpression", spoken, "must be non-empty if specified")
    elif spoken:
        _compiles(
            faults,
            f"{here}.messageExpression",
            spoken,
            params=params,
            authorizer=False,
            variables=variables,
        )
    message = validation.get("message", "")
    if message and not message.strip():
        faults.invalid(f"{here}.message", message, "message must be non-empty if specified")
    elif re.search(r"[\n\r]", message.strip()):
        faults.invalid(f"{here}.message", message, "message must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        faults.unsupported(f"{here}.reason", reason, _REASONS)


def _annotations(
    faults: Faults,
    name: str,
    annotations: Sequence[Document],
    variables: Sequence[str],
    params: bool,
) -> None:
    field, seen = "spec.auditAnnotations", set[str]()
    if len(annotations) > MOST_ANNOTATIONS:
        text = f"must not have more than {MOST_ANNOTATIONS} auditAnnotations"
        faults.invalid(field, list(annotations), text)
    for index, annotation in enumerate(annotations):
        here, key = f"{field}[{index}]", annotation.get("key", "")
        if name:
            whole = f"{name}/{key}"
            faults.check_words(f"{here}.key", whole, metadata.is_qualified_name(whole))
        else:
            faults.invalid(f"{here}.key", key, "requires metadata.name be non-empty")
        text = annotation.get("valueExpression", "")
        if not text.strip():
            faults.required(f"{here}.valueExpression", "valueExpression is not specified")
        elif len(text.strip()) > MOST_ANNOTATION_BYTES:
            most = f"must not exceed {MOST_ANNOTATION_BYTES} bytes in length"
            faults.required(f"{here}.valueExpression", most)
        else:
            _compiles(faults, f"{here}.valueExpression", text, params=params, variables=variables)
        if key in seen:
            faults.duplicate(f"{here}.key", key)
        seen.add(key)


# ------------------------------------------------------------ parameters


def _param_kind(faults: Faults, field: str, kind: Document) -> None:
    api_version, name = kind.get("apiVersion", ""), kind.get("kind", "")
    group, slash, version = api_version.partition("/")
    if not slash:
        group, version = "", api_version
    if not api_version:
        faults.required(f"{field}.apiVersion")
    elif "/" in version:
        text = f"unexpected GroupVersion string: {api_version}"
        faults.invalid(f"{field}.apiVersion", api_version, text)
    elif not version:
        faults.invalid(f"{field}.apiVersion", api_version, "version must be specified")
    else:
        if group:
            wrong = metadata.is_subdomain(group)
            faults.check_words(f"{field}.apiVersion", group, [",".join(wrong)] if wrong else [])
        wrong = metadata.is_label_1035(version)
        faults.check_words(f"{field}.apiVersion", version, [",".join(wrong)] if wrong else [])
    if not name:
        faults.required(f"{field}.kind")
        return
    wrong = metadata.is_label_1035(name.lower())
    if wrong:
        text = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
        faults.invalid(f"{field}.kind", name, text)


def _param_ref(faults: Faults, field: str, reference: Document) -> None:
    name, selector = reference.get("name", ""), reference.get("selector")
    if name:
        faults.check_words(f"{field}.name", name, metadata.is_path_segment(name))
        if selector is not None:
            faults.forbidden(f"{field}.name", _EXCLUSIVE)
    if selector is not None:
        validate_selector(faults, f"{field}.selector", selector)
        if name:
            faults.forbidden(f"{field}.selector", _EXCLUSIVE)
    if not name and selector is None:
        faults.required(field, "one of name or selector must be specified")
    action = reference.get("parameterNotFoundAction", "")
    faults.check_choice(f"{field}.parameterNotFoundAction", action, _NOT_FOUND)


# ------------------------------------------------------------ matching


def _match(faults: Faults, field: str, match: Document) -> None:
    faults.check_choice(f"{field}.matchPolicy", match.get("matchPolicy", ""), _MATCHES)
    for name in ("namespaceSelector", "objectSelector"):
        validate_selector(faults, f"{field}.{name}", match.get(name) or {})
    for name in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(name) or ()):
            _rule(faults, f"{field}.{name}[{index}]", rule)


def _rule(faults: Faults, field: str, rule: Document) -> None:
    names = rule.get("resourceNames") or ()
    for index, name in enumerate(names):
        here = f"{field}.resourceNames[{index}]"
        faults.check_words(here, name, metadata.is_path_segment(name))
        if name in names[:index]:
            faults.duplicate(here, name)
    _listed(faults, f"{field}.operations", rule.get("operations"), "operations")
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            faults.unsupported(f"{field}.operations[{index}]", operation, _OPERATIONS)
    _listed(faults, f"{field}.apiGroups", rule.get("apiGroups"), "API groups")
    _listed(faults, f"{field}.apiVersions", rule.get("apiVersions"), "API versions")
    for index, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            faults.required(f"{field}.apiVersions[{index}]")
    _resources(faults, f"{field}.resources", rule.get("resources") or ())
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        faults.unsupported(f"{field}.scope", scope, _SCOPES)


def _listed(faults: Faults, field: str, values: Sequence[str] | None, what: str) -> None:
    if not values:
        faults.required(field)
    elif len(values) > 1 and "*" in values:
        faults.invalid(field, list(values), f"if '*' is present, must not specify other {what}")


def _resources(faults: Faults, field: str, resources: Sequence[str]) -> None:
    if not resources:
        faults.required(field)
    of_resource: set[str] = set()
    of_subresource: set[str] = set()
    for index, text in enumerate(resources):
        here = f"{field}[{index}]"
        if not text:
            faults.required(here)
            continue
        plural, slash, subresource = text.partition("/")
        if not slash:
            continue
        if plural in of_resource:
            faults.invalid(here, text, f"if '{plural}/*' is present, must not specify {text}")
        if subresource in of_subresource:
            faults.invalid(here, text, f"if '*/{subresource}' is present, must not specify {text}")
        if subresource == "*":
            of_resource.add(plural)
        if plural == "*":
            of_subresource.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        text = "if '*/*' is present, must not specify other resources"
        faults.invalid(field, list(resources), text)
    if "*" in resources and any(text != "*" and "/" not in text for text in resources):
        faults.invalid(
            field,
            list(resources),
            "if '*' is present, must not specify other resources without subresources",
        )
