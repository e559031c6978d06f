"""POST pods/NAME/binding: puts a pod on a node, once. Source: core/v1 Binding."""

from orchestrator.apiserver.answers import Answer, json_answer
from orchestrator.apiserver.bodies import read_document
from orchestrator.apiserver.options import is_dry_run
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.asking import ask_about_body
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.apiserver.verbs.write import require_same_name, require_type
from orchestrator.kit.errors import Cause, Invalid


async def bind(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Binds the pod to the node that the body names.

    Raises:
        Conflict: the pod is bound already.
        Invalid: the target is no node.
    """
    dry_run = is_dry_run(request.query, "CreateOptions")
    body = await read_document(request, services.settings.max_depth)
    require_type(body, "v1", "Binding")
    require_same_name(body, path)
    target = body.get("target")
    target = target if isinstance(target, dict) else {}
    node, kind = target.get("name"), target.get("kind") or "Node"
    if not isinstance(node, str) or not node or kind != "Node":
        message = "Required value" if not node else f'Unsupported value: "{kind}": must be "Node"'
        field = "target.name" if not node else "target.kind"
        reason = "FieldValueRequired" if not node else "FieldValueNotSupported"
        raise Invalid(
            f'Binding "{path.name}" is invalid: {field}: {message}',
            name=path.name,
            kind="Binding",
            causes=(Cause(reason, message, field),),
        )
    ask_about_body(services, request, path, body, dry_run=dry_run)
    await services.registry.bind(key_of(path), node, dry_run=dry_run)
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
    return json_answer(status, 201)
