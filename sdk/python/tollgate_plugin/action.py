"""Actions: something is done outside when a rollout is rolled back."""

import json
from typing import Any, Dict, List, Optional, Type, Union

from componentize_py_types import Err
from wit_world.exports import Rollback as World
from wit_world.exports.rollback import Event, Outcome, Outcome_Done, Outcome_Skipped
from wit_world.imports import outbound

from .failure import Failure, guarded
from .log import log
from .settings import parse

__all__ = ["Action", "Event", "Failure", "Response", "action", "done", "log", "send", "skipped"]


def done(text: str) -> Outcome:
    """The action did it; the text says what, for the ledger."""
    return Outcome_Done(text)


def skipped(text: str) -> Outcome:
    """There was nothing to do; the text says why."""
    return Outcome_Skipped(text)


class Response:
    """What came back."""

    def __init__(self, response: outbound.Response):
        self.status: int = response.status
        self.ok: bool = 200 <= response.status < 300
        self.headers: Dict[str, str] = {header.name: header.value for header in response.headers}
        self.body: bytes = response.body

    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.body)


LATER = ("unreachable", "timed-out")


def send(
    target: str,
    method: str = "post",
    path: str = "/",
    headers: Optional[Dict[str, str]] = None,
    body: Union[str, bytes, Any] = b"",
) -> Response:
    """Sends one request to a granted target; `body` may be text, bytes, or
    anything to be sent as JSON. A refusal is raised as a `Failure` whose code
    it is."""
    given = {name.lower(): str(value) for name, value in (headers or {}).items()}
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
        given.setdefault("content-type", "application/json")
    listed = [outbound.Header(name, value) for name, value in given.items()]
    request = outbound.Request(target, outbound.Method[method.upper()], path, listed, body)
    try:
        return Response(outbound.send(request))
    except Err as error:
        refusal = error.value.name.lower().replace("_", "-")
        raise Failure.upstream(
            refusal, f"{target} refused: {refusal}", retryable=refusal in LATER
        )


class Action:
    """Your class: its `__init__` gets the settings."""

    def __init__(self, settings: dict):
        pass

    def run(self, event: Event) -> Outcome:
        """Answers `done` or `skipped`. May be called again with the same id,
        and must then not act twice."""
        raise NotImplementedError


def action(plugin: Type[Action]) -> type:
    """Makes a class a plugin: `Rollback = action(Mine)`."""

    # Not on the object: each of its functions is given an object of its own.
    made: List[Action] = []

    class Rollback(World):
        def configure(self, settings: str) -> None:
            def run():
                made[:] = [plugin(parse(settings))]

            guarded(run)

        def run(self, event: Event) -> Outcome:
            return guarded(lambda: made[0].run(event))

    return Rollback
