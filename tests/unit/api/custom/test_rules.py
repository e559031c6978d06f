"""Rules in CEL: what they see, what they say, and what they may cost."""

import pytest

from orchestrator.api.custom import rules
from orchestrator.api.custom.rules import check_rules, compile_fault, escaped, why_unchecked
from orchestrator.api.validation.collector import Faults

pytest.importorskip("cel")

STRING = {"type": "string"}


def said(value, rule, properties=None, **more):
    schema = {"type": "object", "properties": properties or {}}
    rule = {"rule": rule, **more.pop("rule_with", {})}
    faults = Faults()
    check_rules(faults, value, {**schema, "x-kubernetes-validations": [rule]}, "spec", **more)
    return [f"{cause.field}: {cause.message}" for cause in faults.causes]


def number(kind="integer"):
    return {"type": kind}


LIST = {"type": "array", "items": {"type": "integer"}}
HOLDS = {
    "compare": ({"a": 1, "b": 2}, "self.a < self.b", {"a": number(), "b": number()}),
    "absent": ({}, "!has(self.a) || self.a > 0", {"a": number()}),
    "a whole number of a fraction's type": (
        {"a": 2}, "self.a * 1.5 == 3.0", {"a": number("number")},
    ),
    "all": ({"l": [1, 2]}, "self.l.all(x, x > 0)", {"l": LIST}),
    "sum, sorted, min and max": (
        {"l": [1, 2]}, "self.l.sum() == 3 && self.l.isSorted() && self.l.max() == 2", {"l": LIST},
    ),
    "strings": (
        {"s": "a,B"}, "self.s.split(',')[1].lowerAscii() == 'b' && self.s.indexOf('B') == 2",
        {"s": STRING},
    ),
    "regular expressions": (
        {"s": "ab12"}, "self.s.matches('^[a-z]+') && self.s.find('[0-9]+') == '12'",
        {"s": STRING},
    ),
    "addresses": ({"s": "10.0.0.1"}, "isIP(self.s) && !isCIDR(self.s)", {"s": STRING}),
    "reserved words": ({"namespace": "x"}, "self.__namespace__ == 'x'", {"namespace": STRING}),
    "names with dashes": ({"a-b": "x"}, "self.a__dash__b == 'x'", {"a-b": STRING}),
    "times": (
        {"t": "2026-01-02T03:04:05Z"}, "self.t < timestamp('2027-01-01T00:00:00Z')",
        {"t": {"type": "string", "format": "date-time"}},
    ),
    "durations": (
        {"d": "1h30m"}, "self.d > duration('1h')", {"d": {"type": "string", "format": "duration"}},
    ),
    "quantities": (
        {"a": "1Gi", "b": "1024Mi"},
        "quantity(self.a) == quantity(self.b) && quantity('1').isLessThan(quantity('1500m')) && "
        "quantity('1k').add(24).asInteger() == 1024 && !isQuantity('x') && "
        "quantity('2').sub(quantity('500m')).compareTo(quantity('1.5')) == 0",
        {"a": STRING, "b": STRING},
    ),
    "formats": (
        {"a": 2, "s": "x"},
        "'%s has %d of %s, %.1f%%, %x'.format([self.s, self.a, [1, 2], 1.25, 255]) == "
        "'x has 2 of [1, 2], 1.2%, ff'",
        {"a": number(), "s": STRING},
    ),
    "maps": (
        {"m": {"namespace": "v"}}, "self.m['namespace'] == 'v' && 'namespace' in self.m",
        {"m": {"type": "object", "additionalProperties": STRING}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("value", "rule", "properties"), HOLDS.values(), ids=HOLDS)
def test_rules_that_hold(value, rule, properties):
    assert said(value, rule, properties) == []
    assert len(said(value, f"!({rule})", properties)) == 1


def test_a_broken_rule_says_its_message():
    assert said({}, "false") == ['spec: Invalid value: "object": failed rule: false']
    assert said({}, "false", rule_with={"message": "no"}) == ['spec: Invalid value: "object": no']
    made = {"messageExpression": "'n is ' + string(self.n)", "message": "else"}
    assert said({"n": 5}, "false", {"n": number()}, rule_with=made) == [
        'spec: Invalid value: "object": n is 5'
    ]
    assert said({}, "false", {"n": number()}, rule_with=made) == [
        'spec: Invalid value: "object": else'
    ]


def test_reasons_and_field_paths():
    for reason, words in (
        ("FieldValueRequired", "Required value: m"),
        ("FieldValueForbidden", "Forbidden: m"),
        ("FieldValueDuplicate", 'Duplicate value: "object"'),
    ):
        more = {"message": "m", "reason": reason, "fieldPath": ".a.b"}
        assert said({}, "false", rule_with=more) == [f"spec.a.b: {words}"]


def test_a_rule_that_cannot_be_evaluated_is_broken():
    assert said({}, "self.a > 0", {"a": number()}) == [
        'spec: Invalid value: "object": no such key: a evaluating rule: failed rule: self.a > 0'
    ]
    assert "division by zero" in said({}, "1 / 0 == 1")[0]


def test_rules_about_a_change_need_one():
    rule = "self.a >= oldSelf.a"
    properties = {"a": number()}
    assert said({"a": 1}, rule, properties) == []
    assert said({"a": 1}, rule, properties, old={"a": 1}) == []
    assert said({"a": 2}, rule, properties, old={"a": 1}) == []
    assert len(said({"a": 1}, rule, properties, old={"a": 2})) == 1
    assert len(said({"a": 1}, "self.a == 2 && 'oldSelf' != ''", properties)) == 1


def test_nested_walks_over_long_lists_are_refused():
    value = {"l": list(range(1001))}
    nested = "self.l.all(x, self.l.all(y, x != y || true))"
    assert "running out of cost budget" in said(value, nested, {"l": LIST})[0]
    beside = "self.l.all(x, x >= 0) && self.l.all(y, y >= 0)"
    assert said(value, beside, {"l": LIST}) == []


def test_items_of_lists_are_compared_by_their_keys():
    items = {
        "type": "object",
        "properties": {"n": STRING, "v": number()},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}],
    }
    schema = {"type": "array", "items": items, "x-kubernetes-list-map-keys": ["n"]}
    old = [{"n": "a", "v": 5}, {"n": "b", "v": 1}]
    faults = Faults()
    check_rules(faults, [{"n": "b", "v": 2}, {"n": "a", "v": 4}], schema, "spec.l", old)
    assert [cause.field for cause in faults.causes] == ["spec.l[1]"]


def test_the_root_shows_its_name():
    schema = {
        "type": "object",
        "x-kubernetes-validations": [{"rule": "self.metadata.name == 'a'"}],
    }
    for name, broken in (("a", 0), ("b", 1)):
        faults = Faults()
        check_rules(faults, {"kind": "K", "metadata": {"name": name}}, schema)
        assert len(faults.causes) == broken


def test_what_is_not_checked_is_known_beforehand(monkeypatch):
    assert why_unchecked({"rule": "self.a > 0 && (self.b in ['url(x)'])"}) == ""
    assert why_unchecked({"rule": "url(self.a).getHost() == 'x'"}) == ("it calls url")
    assert why_unchecked({"rule": "self.?a.orValue(1) == 1"})
    assert why_unchecked({"rule": "true", "optionalOldSelf": True})
    monkeypatch.setattr(rules, "available", lambda: False)
    assert "not installed" in why_unchecked({"rule": "true"})


def test_rules_that_cannot_be_read():
    assert compile_fault("self.a >") != ""
    assert compile_fault("self.a > 0") == ""


def test_names_are_escaped():
    assert escaped("if") == "__if__"
    assert escaped("a.b/c-d__e") == "a__dot__b__slash__c__dash__d__underscores__e"
    assert escaped("plain") == "plain"
