"""Tells a hook, as chat tools take it, that a rollout was rolled back."""

from tollgate_plugin.action import Action, Failure, action, done, log, send


class Notify(Action):
    def __init__(self, settings):
        self.target, self.path = settings.get("target"), settings.get("path")
        if not self.target or not self.path:
            raise Failure.invalid_settings("bad-settings", "give target and path")

    def run(self, event):
        text = f"{event.endpoint}: {event.from_} was rolled back to {event.to}: {event.reason}"
        # The host adds an idempotency key, the same for every try of an event.
        response = send(self.target, path=self.path, body={"text": text})
        if not response.ok:
            raise Failure.upstream(
                "bad-status", f"it answered {response.status}", retryable=response.status >= 500
            )
        log.info(f"{self.target} answered {response.status}")
        return done(f"{self.target} answered {response.status}")


Rollback = action(Notify)
