"""What policies say: conditions, variables, messages, failures, bounds."""

import pytest

from orchestrator.api.admission.evaluation import Scene, decide
from orchestrator.api.admission.policy import binding_of, policy_of

pytest.importorskip("cel")

OBJECT = {"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"n": 3, "l": [1, 2]}}


def said(*validations, params=None, values=None, **spec):
    spec["validations"] = [
        {"expression": one} if isinstance(one, str) else one for one in validations
    ]
    policy = policy_of({"metadata": {"name": "p"}, "spec": spec})
    scene = Scene({"object": OBJECT, "oldObject": None, **(values or {})}, {})
    return [(one.message, one.reason) for one in decide(policy, scene, params)]


def variables(**texts):
    return [{"name": name, "expression": text} for name, text in texts.items()]


def conditions(*texts):
    return [{"name": f"c{n}", "expression": text} for n, text in enumerate(texts)]


FALSE = {"expression": "object.spec.n > 5"}
MESSAGES = {
    "the expression": (FALSE, "failed expression: object.spec.n > 5"),
    "the message": (FALSE | {"message": " too few "}, "too few"),
    "the made message": (
        FALSE | {"message": "m", "messageExpression": "'only ' + string(object.spec.n)"}, "only 3",
    ),
    "of several lines": (FALSE | {"message": "m", "messageExpression": r"'a\nb'"}, "m"),
    "no text": (FALSE | {"message": "m", "messageExpression": "1"}, "m"),
    "empty": (FALSE | {"message": "m", "messageExpression": "' '"}, "m"),
    "that fails": (FALSE | {"message": "m", "messageExpression": "object.gone"}, "m"),
    "too long": (FALSE | {"message": "m", "messageExpression": repr("x" * 6000)}, "m"),
}  # fmt: skip


@pytest.mark.parametrize(("validation", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(validation, message):
    assert said(validation) == [(message, "Invalid")]


def test_each_validation_speaks_for_itself():
    assert said("true", FALSE | {"reason": "Forbidden"}, "object.spec.n") == [
        ("failed expression: object.spec.n > 5", "Forbidden"),
        ("failed expression: object.spec.n", "Invalid"),
    ]


CONDITIONS = {
    "all true": (("true", "object.spec.n == 3"), 1),
    "one false": (("true", "false"), 0),
    "a false one counts more than one that fails": (("object.gone == 1", "false"), 0),
}


@pytest.mark.parametrize(("texts", "count"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(texts, count):
    assert len(said("false", matchConditions=conditions(*texts))) == count


def test_a_condition_that_fails():
    failing = conditions("object.gone == 1")
    text = "expression 'object.gone == 1' resulted in error: no such key: gone"
    assert said("false", matchConditions=failing) == [(text, "Invalid")]
    assert said("false", matchConditions=failing, failurePolicy="Ignore") == []


def test_a_validation_that_fails():
    text = "expression 'object.gone == 1' resulted in error: no such key: gone"
    assert said("object.gone == 1", "true") == [(text, "Invalid")]
    assert said("object.gone == 1", FALSE, failurePolicy="Ignore") == [
        ("failed expression: object.spec.n > 5", "Invalid")
    ]


def test_variables_are_worked_out_when_they_are_needed():
    given = variables(n="object.spec.n", twice="variables.n * 2", odd="object.gone", none="null")
    assert said("variables.twice == 6 && variables.n == 3", variables=given) == []
    assert said("variables.none == null", variables=given) == []
    assert said("true || variables.odd == 1", variables=given) == []
    assert said("variables.odd == 1", variables=given) == [
        (
            "expression 'variables.odd == 1' resulted in error: composited variable \"odd\" fails "
            "to evaluate: no such key: gone",
            "Invalid",
        )
    ]
    spoken = FALSE | {"messageExpression": "'n is ' + string(variables.n)"}
    assert said(spoken, variables=given) == [("n is 3", "Invalid")]


def test_parameters_may_be_absent():
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert said("params == null", paramKind=kind) == []
    assert said("params.data.a == 'b'", paramKind=kind, params={"data": {"a": "b"}}) == []


def test_walks_over_long_lists_are_not_begun():
    values = {"object": {"l": list(range(2000))}}
    text = "object.l.all(x, object.l.exists(y, x == y))"
    out = (
        "validation failed due to running out of cost budget, no further validation rules will be "
        "run"
    )
    assert said(text, "false", values=values) == [(out, "Invalid")]
    assert said(text, "false", values=values, failurePolicy="Ignore") == []
    made = variables(all="object.l.map(x, object.l)")
    assert said("variables.all.size() > 0", values=values, variables=made)[0][0].endswith(out)


def test_texts_do_not_grow_for_ever():
    grown = {f"v{n}": f"variables.v{n - 1} + variables.v{n - 1}" for n in range(1, 25)}
    made = variables(v0="'xxxxxxxxxx'", **grown)
    assert "its value is too big" in said("variables.v24 == ''", variables=made)[0][0]


def test_a_scene_serves_several_policies():
    scene = Scene({"object": OBJECT, "oldObject": None}, {})

    def policy(text, **spec):
        validations = [{"expression": text}]
        return policy_of({"metadata": {"name": "p"}, "spec": {"validations": validations, **spec}})

    assert decide(policy("object.spec.n == 3"), scene, None) == []
    assert decide(policy("object.metadata.labels.x == '1'"), scene, None) == []
    one = policy("variables.v == 1", variables=variables(v="1"))
    assert decide(one, scene, None) == []
    two = policy("variables.v == 2 && object == object", variables=variables(v="2"))
    assert decide(two, scene, None) == []
    assert decide(one, scene, None) == []


def test_bindings():
    spec = {"policyName": "p", "validationActions": ["Warn"]}
    made = binding_of({"metadata": {"name": "b"}, "spec": spec})
    assert (made.policy, made.params, made.actions) == ("p", None, {"Warn"})
    spec["paramRef"] = {"selector": {}, "parameterNotFoundAction": "Allow"}
    params = binding_of({"metadata": {"name": "b"}, "spec": spec}).params
    assert params.selector is not None
    assert not params.required
