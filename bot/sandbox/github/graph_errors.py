"""GraphQL refusals, with GitHub's `type` of the error."""

from __future__ import annotations


class RefusedError(Exception):
    """A field gives null and this error. `type` is GitHub's, such as NOT_FOUND or FORBIDDEN; empty for none."""

    def __init__(self, type: str, message: str) -> None:  # noqa: A002 - GitHub's word
        super().__init__(message)
        self.type = type


def no_node(node_id: str) -> RefusedError:
    """NOT_FOUND for a global id."""
    return RefusedError("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")


def unprocessable(message: str) -> RefusedError:
    """What REST answers with 422."""
    return RefusedError("UNPROCESSABLE", message)


FORBIDDEN = {
    "installation": "Resource not accessible by integration",
    "actions": "Resource not accessible by integration",
    "fine": "Resource not accessible by personal access token",
}
