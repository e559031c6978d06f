"""A stored policy, and a binding of one, made ready to be asked.

Source: admissionregistration.k8s.io/v1 ValidatingAdmissionPolicySpec,
ValidatingAdmissionPolicyBindingSpec.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.api.admission.expression import Expression, Reach, compiled, united
from orchestrator.api.admission.matching import Constraints, constraints_of
from orchestrator.api.labels import Selector, from_document

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Validation:
    """One rule of a policy.

    Attributes:
        expression: true when the request is fine.
        message: what is said when it is not; "" for none.
        spoken: gives the message; None without.
        reason: of the Status that refuses.
    """

    expression: Expression
    message: str
    spoken: Expression | None
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, compiled.

    Attributes:
        name: of the object.
        fails: whether what cannot be found out is a refusal (failurePolicy Fail).
        param_kind: apiVersion and kind of the parameters; None without.
        constraints: whom it is about.
        conditions: all must be true, else it is about something else; with their names.
        variables: by name, in their order.
        validations: what it asks for.
        roots: which of object, oldObject, request, ... its expressions use.
        functions: the names of the functions that they call.
        reach: what they can get at of object and oldObject.
    """

    name: str
    fails: bool
    param_kind: tuple[str, str] | None
    constraints: Constraints
    conditions: tuple[tuple[str, Expression], ...]
    variables: Mapping[str, Expression]
    validations: tuple[Validation, ...]
    roots: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    reach: Reach = None


@dataclass(frozen=True, slots=True)
class Params:
    """Where a binding's parameters are.

    Attributes:
        name: of the one object; "" when they are selected.
        namespace: "" for that of the request.
        selector: of several; None when there is a name.
        required: whether none at all is an error (parameterNotFoundAction Deny).
    """

    name: str
    namespace: str
    selector: Selector | None
    required: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding.

    Attributes:
        name: of the object.
        policy: name of the policy.
        constraints: whom it is about, of those whom the policy is about.
        params: None without.
        actions: Deny, Warn, Audit.
    """

    name: str
    policy: str
    constraints: Constraints
    params: Params | None
    actions: frozenset[str]


def fails(document: Document) -> bool:
    """Whether a policy's failurePolicy is Fail."""
    return bool((document.get("spec") or {}).get("failurePolicy", "Fail") != "Ignore")


def policy_of(document: Document) -> Policy:
    """Compiles a stored policy.

    Raises:
        ValueError: an expression cannot be compiled, or there is no library to do it.
    """
    spec: Document = document.get("spec") or {}
    kind = spec.get("paramKind")
    params = kind is not None
    variables: dict[str, Expression] = {}
    for one in spec.get("variables") or ():
        variables[one["name"]] = compiled(
            one["expression"], params=params, authorizer=True, variables=tuple(variables)
        )
    conditions = tuple(
        (one["name"], compiled(one["expression"], params=params, authorizer=True))
        for one in spec.get("matchConditions") or ()
    )
    names = tuple(variables)
    validations = tuple(_validation(one, names, params) for one in spec.get("validations") or ())
    made = Policy(
        name=document["metadata"]["name"],
        fails=fails(document),
        param_kind=(kind["apiVersion"], kind["kind"]) if kind else None,
        constraints=constraints_of(spec.get("matchConstraints")),
        conditions=conditions,
        variables=variables,
        validations=validations,
    )
    every = tuple(_all(made))
    reach: Reach = {}
    for expression in every:
        reach = united(reach, expression.reach)
    return replace(
        made,
        roots=frozenset().union(*(one.roots for one in every)),
        functions=frozenset().union(*(one.functions for one in every)),
        reach=reach,
    )


def binding_of(document: Document) -> Binding:
    """A stored binding.

    Raises:
        ValueError: an operator of a selector that does not exist.
    """
    spec: Document = document.get("spec") or {}
    return Binding(
        name=document["metadata"]["name"],
        policy=spec.get("policyName", ""),
        constraints=constraints_of(spec.get("matchResources")),
        params=_params(spec["paramRef"]) if spec.get("paramRef") else None,
        actions=frozenset(spec.get("validationActions") or ()),
    )


def _params(document: Document) -> Params:
    selector = document.get("selector")
    return Params(
        name=document.get("name", ""),
        namespace=document.get("namespace", ""),
        selector=from_document(selector) if selector is not None else None,
        required=document.get("parameterNotFoundAction") != "Allow",
    )


def _validation(document: Document, variables: tuple[str, ...], params: bool) -> Validation:
    spoken = document.get("messageExpression")
    return Validation(
        expression=compiled(
            document["expression"], params=params, authorizer=True, variables=variables
        ),
        message=document.get("message", "").strip(),
        spoken=compiled(spoken, params=params, authorizer=False, variables=variables)
        if spoken
        else None,
        reason=document.get("reason") or "Invalid",
    )


def _all(policy: Policy) -> Iterator[Expression]:
    yield from (expression for _, expression in policy.conditions)
    yield from policy.variables.values()
    for one in policy.validations:
        yield one.expression
        if one.spoken is not None:
            yield one.spoken
