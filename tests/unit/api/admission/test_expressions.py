"""Expressions of policies: what compiles, what not, and how much of an object they see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api import expressions
from orchestrator.api.admission.expression import compiled, united, within

pytest.importorskip("cel")

FINE = (
    "object.spec.replicas <= 5",
    "object.metadata.namespace == request.namespace",
    "object.l.all(x, x > 0 && [1].exists(y, y == x))",
    "has(object.a) && object.a.matches('^undeclared(x)$')",
    "type(object.a) == string || int(object.a) > 1",
    "variables.a + variables.b > 1 // variables.c is a comment",
    "'variables.c' == \"request.nothing\"",
    "{'variables': 1}.variables == 1 && object.variables.c == 1",
    "params.x == namespaceObject.metadata.name",
    "authorizer.group('').resource('pods').check('get').allowed()",
    "quantity(object.a).isLessThan(quantity('1Gi')) && '%s'.format(['a']) == 'a'",
)
BAD = {
    "1 +": "Syntax error: mismatched input '<EOF>'",
    "object.x == foo": "ERROR: <input>:1:13: undeclared reference to 'foo' (in container '')\n"
    " | object.x == foo\n | ............^",
    "true &&\n  foo(1)": "ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n"
    " |   foo(1)\n | ..^",
    "object.l.all(x, y > 0)": "undeclared reference to 'y'",
    "object.l.all(i, x, x > 0)": "undeclared reference to 'x'",
    "variables.c": "undefined field 'c'",
    "variables['a']": "undeclared reference to 'variables'",
    "has(variables.a)": "invalid argument to has() macro",
    "request.nothing": "ERROR: <input>:1:8: undefined field 'nothing'",
    "namespaceObject.name": "undefined field 'name'",
    "allowed()": "undeclared reference to 'allowed'",
    "object.?a.orValue(1)": "unsupported syntax '.?'",
    "sets.contains([1], [1])": "undeclared reference to 'sets'",
    "authorizer.fieldSelector('a')": "undeclared reference to 'fieldSelector'",
}


@pytest.mark.parametrize("text", FINE)
def test_fine(text):
    made = compiled(text, params=True, authorizer=True, variables=("a", "b"))
    assert made.text == text


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=BAD)
def test_wrong(text, said):
    with pytest.raises(ValueError) as caught:
        compiled(text, params=True, authorizer=True, variables=("a", "b"))
    message = str(caught.value)
    assert message.startswith("compilation failed: ")
    assert said in message


@pytest.mark.parametrize("name", ["params", "authorizer", "variables"])
def test_what_is_not_offered_is_undeclared(name):
    with pytest.raises(ValueError, match=f"undeclared reference to '{name}'"):
        compiled(f"{name}.x == 1", params=False, authorizer=False)


REACHES = {
    "object.spec.replicas > oldObject.spec.replicas": {"spec": {"replicas": None}},
    "object.metadata.name.startsWith('a') && has(object.spec)": {
        "metadata": {"name": None}, "spec": None,
    },
    "object == null || oldObject != null": {},
    "object.a['b'] == 1 && object.a.c == 2": {"a": None},
    "object == oldObject": None,
    "[object].exists(o, o.a == 1)": None,
    "'object' == 'x' // object": {},
    "x.object.a == 1 || [1].all(x, x > 0)": {},
}  # fmt: skip


@pytest.mark.parametrize(("text", "reach"), REACHES.items(), ids=REACHES)
def test_what_is_reached(text, reach):
    bound = f"[{{}}].all(x, {text})" if text.startswith("x.") else text
    assert compiled(bound, params=False, authorizer=False).reach == reach


NAMES = st.sampled_from(["a", "b", "metadata"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(NAMES, max_size=3).map(lambda names: ".".join(["object", *names]))


@st.composite
def texts(draw):
    one, other = draw(PATHS), draw(PATHS)
    forms = [f"{one} == {other}", f"{one} == null", f"size({one}) > 0", f"'a' in {one}"]
    forms += [f"{one}['a'] == 1", f"{one}.all(k, k != 'a')", f"{one}.startsWith('a')"]
    forms += [f"type({one}) == type({other})"]
    if "." in one:
        forms.append(f"has({one})")
    chosen = draw(st.lists(st.sampled_from(forms), min_size=1, max_size=3))
    return draw(st.sampled_from([" && ", " || "])).join(chosen)


@pytest.mark.slow
@settings(max_examples=60)
@given(texts(), st.none() | st.dictionaries(NAMES, VALUES, max_size=3))
def test_law_what_is_not_reached_does_not_matter(text, value):
    made = compiled(text, params=False, authorizer=False)

    def result(seen):
        try:
            return expressions.run(made.program, expressions.context({"object": seen}))
        except ValueError:
            return "an error"

    assert result(within(made.reach, value)) == result(value)
    more = united(made.reach, {"b": {"a": None}})
    assert result(within(more, value)) == result(value)
