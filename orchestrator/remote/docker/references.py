"""Image references and registry credentials, as the Engine API wants them (pure).

The docker SDK's own parsers do the work, so that a reference means here what it means to `docker`.
"""

from docker import auth as docker_auth
from docker import errors as docker_errors
from docker import utils as docker_utils

from orchestrator.kit.errors import EngineError
from orchestrator.remote.seams import RegistryAuth


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest) of an image reference; without either the tag is "latest".

    Raises:
        EngineError: status 400, the reference cannot be one.
    """
    try:
        repository, tag = docker_utils.parse_repository_tag(reference)
        docker_auth.resolve_repository_name(repository)
    except (docker_errors.InvalidRepository, IndexError, ValueError) as error:
        raise EngineError(
            f"invalid image reference {reference!r}: {error}", operation="pull", status=400
        ) from error
    if not repository:
        raise EngineError(f"invalid image reference {reference!r}", operation="pull", status=400)
    return repository, tag or "latest"


def registry_of(reference: str) -> str:
    """The registry's host name that a reference is pulled from: "docker.io" when none is named.

    Raises:
        EngineError: status 400, the reference cannot be one.
    """
    repository, _ = split_reference(reference)
    return str(docker_auth.resolve_repository_name(repository)[0])


def auth_header(auth: RegistryAuth) -> str:
    """The value of X-Registry-Auth."""
    document = {
        "username": auth.username,
        "password": auth.password,
        "serveraddress": auth.server,
    }
    return docker_auth.encode_header(document).decode("ascii")
