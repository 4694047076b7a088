"""Lines for the gateway's log: 64 of 512 bytes a call are kept."""

from wit_world.imports import log as host


class log:
    """`log.info("…")`, and so on."""

    @staticmethod
    def debug(message) -> None:
        host.emit(host.Level.DEBUG, str(message))

    @staticmethod
    def info(message) -> None:
        host.emit(host.Level.INFO, str(message))

    @staticmethod
    def warn(message) -> None:
        host.emit(host.Level.WARN, str(message))

    @staticmethod
    def error(message) -> None:
        host.emit(host.Level.ERROR, str(message))
