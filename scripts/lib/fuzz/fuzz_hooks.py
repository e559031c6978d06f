"""What schemathesis must know: a watch answers with a stream, which no document describes."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Leaves `watch` out of the query; everything else is as generated."""
    if isinstance(case.query, dict):
        case.query.pop("watch", None)
