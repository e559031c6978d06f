"""What a controller tells the user when the API refuses what a workload asks for. Pure."""

from orchestrator.kit.errors import ApiError, BadRequest, Forbidden, Invalid
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.intents import Intent, Record


def create_refused(
    key: ObjectKey, error: ApiError, component: str, words: str = "Error creating:"
) -> list[Intent]:
    """Tells the user that what a workload asks for is refused; [] for failures that pass.

    Args:
        key: of the workload.
        error: the API's answer.
        component: who tells.
        words: what the message begins with.
    """
    if not isinstance(error, Invalid | Forbidden | BadRequest):
        return []
    return [Record(key, "Warning", "FailedCreate", f"{words} {error.message}", component)]
