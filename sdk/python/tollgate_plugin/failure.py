"""How a plugin says no."""

from typing import Callable, Optional, TypeVar

from componentize_py_types import Err
from wit_world.imports import failures

from .log import log

T = TypeVar("T")


class Failure(Exception):
    """A refusal: raise it from any method of a plugin.

    `code` is a stable token of yours, `message` one sentence: what is wrong,
    where, what to do. `field` and `row` say where, `retryable` that the same
    call may succeed later.
    """

    def __init__(
        self,
        fault: str,
        code: str,
        message: str,
        field: Optional[str] = None,
        row: Optional[int] = None,
        retryable: bool = False,
    ):
        super().__init__(message)
        self.fault, self.code, self.message = fault, code, message
        self.field, self.row, self.retryable = field, row, retryable

    @classmethod
    def invalid_input(cls, code: str, message: str, **at) -> "Failure":
        """The rows are to blame; the caller of the prediction reads the message."""
        return cls("invalid-input", code, message, **at)

    @classmethod
    def invalid_settings(cls, code: str, message: str, **at) -> "Failure":
        """The settings are to blame; who installs the plugin reads the message."""
        return cls("invalid-settings", code, message, **at)

    @classmethod
    def unsupported(cls, code: str, message: str, **at) -> "Failure":
        """Not implemented."""
        return cls("unsupported", code, message, **at)

    @classmethod
    def upstream(cls, code: str, message: str, **at) -> "Failure":
        """Something the plugin depends on answered badly."""
        return cls("upstream", code, message, **at)

    @classmethod
    def internal(cls, code: str, message: str, **at) -> "Failure":
        """A defect of the plugin."""
        return cls("internal", code, message, **at)

    def to_wit(self) -> Err:
        """As the generated bindings want it."""
        fault = failures.Fault[self.fault.upper().replace("-", "_")]
        return Err(
            failures.Failure(fault, self.code, self.message, self.field, self.row, self.retryable)
        )


def guarded(run: Callable[[], T]) -> T:
    """Runs `run`; an exception that is no `Failure` is a defect: logged with where
    it came from, and told to the host as one."""
    try:
        return run()
    except Failure as failure:
        raise failure.to_wit()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        log.error(said)
        # By hand: the module `traceback` would look for source files.
        at = error.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            log.error(f"  {code.co_filename}:{at.tb_lineno} in {code.co_name}")
            at = at.tb_next
        raise Failure.internal("exception", said).to_wit()
