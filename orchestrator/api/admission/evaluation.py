"""What a policy says to a request.

A `Scene` is one request in one version, as expressions see it; policies share it, for putting the
objects into the library's form costs more than any expression. A policy that cannot be evaluated
refuses or lets pass, as its failurePolicy says.

Source: Kubernetes docs, "Validating Admission Policy", "Failure Policy", "Message expression".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.api import expressions
from orchestrator.api.admission.expression import (
    OBJECT,
    OLD,
    PARAMS,
    Expression,
    Reach,
    function_of,
    united,
    within,
)
from orchestrator.api.admission.policy import Policy, Validation
from orchestrator.api.custom.functions import FUNCTIONS

MOST_MESSAGE_BYTES: Final = 5 * 1024
MOST_VARIABLE: Final = 100_000
"""Items, and 64 characters, of a variable's value."""

Document = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a policy does not want a request.

    Attributes:
        message: the sentence.
        reason: of the Status that refuses.
    """

    message: str
    reason: str = "Invalid"


class _Spent(ValueError):
    """No steps are left."""


class Scene:
    """See the module.

    Args:
        values: object, oldObject, request, namespaceObject, authorizer.
        functions: what can be called on the authorizer.
    """

    def __init__(self, values: Document, functions: Functions) -> None:
        self._values = values
        self._functions = functions
        self._known: set[str] = set()
        self._reach: Reach = {}
        self._given: dict[str, Any] = {}
        self._lengths: dict[str, int] = {}
        self.context: Final = expressions.bare_context()

    def prepare(self, policy: Policy, params: Document | None) -> None:
        """Gives the expressions of a policy what they use."""
        for name in policy.functions - self._known:
            function = self._functions.get(name) or FUNCTIONS.get(name)
            if function is not None:  # else the library's own
                self.context.add_function(name, function)
        self._known |= policy.functions
        reach = united(self._reach, policy.reach)
        if reach != self._reach:
            self._reach = reach
            for name in (OBJECT, OLD):
                self._given.pop(name, None)
        for name in policy.roots:
            if name == PARAMS:
                self._give(PARAMS, params)
            elif name not in self._given:
                value = self._values.get(name)
                self._give(name, within(reach, value) if name in {OBJECT, OLD} else value)

    def _give(self, name: str, value: Any) -> None:
        self.context.add_variable(name, value)
        self._given[name] = value
        self._lengths.pop(name, None)

    def size(self, roots: Iterable[str], further: Iterable[int]) -> int:
        """Of the biggest of some values; and of `further`."""
        return max([1, *further, *(_size(self._given.get(name)) for name in roots)])

    def longest(self, name: str) -> int:
        """The longest list or map of a value."""
        if name not in self._lengths:
            self._lengths[name] = expressions.longest(self._given.get(name))
        return self._lengths[name]


@dataclass(slots=True)
class _Run:
    """One policy on one scene with one object of parameters."""

    policy: Policy
    scene: Scene
    known: dict[str, Any] = field(default_factory=dict)
    longest: int = 1
    steps: int = 0
    failed: str = ""

    def start(self, params: Document | None) -> None:
        self.scene.prepare(self.policy, params)
        for name in self.policy.variables:
            self.scene.context.add_function(function_of(name), self._variable(name))

    def value(self, expression: Expression) -> Any:
        """What an expression gives.

        Raises:
            ValueError: nothing; says why.
        """
        self._pay(expression)
        self.failed = ""
        try:
            return expressions.run(expression.program, self.scene.context)
        except ValueError as error:
            if self.steps > expressions.MOST_STEPS:
                raise _Spent(expressions.OUT_OF_BUDGET) from error
            why = self.failed or error
            raise ValueError(f"expression '{expression.text}' resulted in error: {why}") from error

    def _pay(self, expression: Expression) -> None:
        if not expression.walks:
            return
        self.steps += self._longest_of(expression) ** expression.walks
        if self.steps > expressions.MOST_STEPS:
            raise _Spent(expressions.OUT_OF_BUDGET)

    def _variable(self, name: str) -> Callable[[], Any]:
        def get() -> Any:
            if name not in self.known:
                self.known[name] = self._worked_out(name)
            found = self.known[name]
            if isinstance(found, ValueError):
                self.failed = f'composited variable "{name}" fails to evaluate: {found}'
                raise found
            return found

        return get

    def _worked_out(self, name: str) -> Any:
        expression = self.policy.variables[name]
        try:
            self._pay(expression)
            if expression.maps and self._made_size(expression) > expressions.MOST_STEPS:
                return ValueError(expressions.OUT_OF_BUDGET)
            found = expressions.run(expression.program, self.scene.context)
        except ValueError as error:
            return error
        if _size(found) > MOST_VARIABLE:
            return ValueError("its value is too big")
        self.longest = max(self.longest, expressions.longest(found))
        return found

    def _made_size(self, expression: Expression) -> int:
        """How big the value of a variable can be that puts parts of objects into a list."""
        known = [_size(one) for one in self.known.values()]
        return self.scene.size(expression.roots, known) * self._longest_of(expression)

    def _longest_of(self, expression: Expression) -> int:
        lengths = [self.scene.longest(name) for name in expression.roots]
        return max([self.longest, *lengths])


def decide(policy: Policy, scene: Scene, params: Document | None) -> list[Denial]:
    """What a policy has against a request; nothing when it is fine, or no business of the policy.

    Args:
        policy: matches the request.
        scene: the request.
        params: the parameters; None without.
    """
    run = _Run(policy, scene)
    try:
        run.start(params)
        if not _meant(run):
            return []
        return [denial for one in policy.validations if (denial := _denial(run, one)) is not None]
    except ValueError as error:  # of the conditions, or no steps are left
        return [Denial(str(error))] if policy.fails else []


def _meant(run: _Run) -> bool:
    """Whether all conditions are true; a false one counts more than one that fails.

    Raises:
        ValueError: one fails, and none is false.
    """
    errors: list[str] = []
    for _, condition in run.policy.conditions:
        try:
            if run.value(condition) is not True:
                return False
        except _Spent:
            raise
        except ValueError as error:
            errors.append(str(error))
    if errors:
        text = ", ".join(errors)
        raise ValueError(text if len(errors) == 1 else f"[{text}]")
    return True


def _denial(run: _Run, validation: Validation) -> Denial | None:
    try:
        if run.value(validation.expression) is True:
            return None
    except _Spent:
        raise
    except ValueError as error:
        return Denial(str(error)) if run.policy.fails else None
    message = _spoken(run, validation.spoken) or validation.message
    message = message or f"failed expression: {validation.expression.text.strip()}"
    return Denial(message, validation.reason)


def _spoken(run: _Run, expression: Expression | None) -> str:
    """What a messageExpression says; "" when it is no message."""
    if expression is None:
        return ""
    try:
        found = run.value(expression)
    except _Spent:
        raise
    except ValueError:
        return ""
    text = found.strip() if isinstance(found, str) else ""
    return "" if "\n" in text or len(text.encode()) > MOST_MESSAGE_BYTES else text


def _size(value: Any) -> int:
    """How many items a value has, a long text counting as several."""
    if isinstance(value, str | bytes):
        return 1 + len(value) // 64
    if isinstance(value, dict):
        return len(value) + sum(_size(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return len(value) + sum(_size(one) for one in value)
    return 1
