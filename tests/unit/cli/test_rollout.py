import click
import pytest

from orchestrator.cli.verbs.rollout import progress


def deployment(generation: int = 2, **status: object) -> dict:
    return {
        "metadata": {"name": "web", "generation": generation},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("document", "words", "done"),
    [
        (deployment(generation=3), "spec update to be observed", False),
        (deployment(updatedReplicas=1), "1 out of 3 new replicas have been updated", False),
        (
            deployment(updatedReplicas=3, replicas=4),
            "1 old replicas are pending termination",
            False,
        ),
        (
            deployment(updatedReplicas=3, availableReplicas=2),
            "2 of 3 updated replicas are available",
            False,
        ),
        (deployment(updatedReplicas=3, availableReplicas=3), "successfully rolled out", True),
    ],
    ids=["unobserved", "updating", "old-left", "unavailable", "done"],
)
def test_progress_speaks_as_kubectl_does(document: dict, words: str, done: bool) -> None:
    line, finished = progress(document)
    assert words in line
    assert finished is done


def test_an_exceeded_deadline_is_an_error() -> None:
    stuck = deployment(
        updatedReplicas=3,
        conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
    )
    with pytest.raises(click.ClickException, match="exceeded its progress deadline"):
        progress(stuck)
