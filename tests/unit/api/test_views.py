"""Views: what one shares with the view before it."""

import msgspec

from orchestrator.api.types.pod import Pod
from orchestrator.api.types.view import VIEWS, decode_view, take_over
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject

BOUND = {
    "metadata": {"name": "a", "uid": "one-of-its-own", "labels": {"app": "web"}},
    "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "web:1"}]},
}


def pod(**changes):
    return decode_view(msgspec.json.encode({**BOUND, **changes}), Pod)


def test_equal_parts_are_shared_and_others_are_not():
    before = pod(spec={**BOUND["spec"], "nodeName": ""})
    after = pod(status={"phase": "Running"})
    take_over(after, before)
    assert after == pod(status={"phase": "Running"})
    assert after.spec.containers is before.spec.containers
    assert after.metadata.labels is before.metadata.labels
    assert (after.spec.node_name, before.spec.node_name) == ("n", "")


def test_no_view_is_changed_by_another_of_its_kind():
    for kind in VIEWS.values():
        empty, other = kind(), kind()
        take_over(empty, other)
        assert empty == other == kind()


def test_another_kind_is_left_alone():
    config = VIEWS["configmaps"]()
    take_over(config, pod())
    assert config == VIEWS["configmaps"]()


def test_what_was_replaced_keeps_nothing_decoded_and_can_be_read_all_the_same():
    data = msgspec.json.encode(BOUND)
    item = StoredObject(ObjectKey("pods", "x", "a"), Revision(1), data)
    first, document = item.view, item.doc
    item.forget()
    item.forget()
    assert item.view == first
    assert item.view is not first
    assert item.doc == document
    assert item.doc is not document
