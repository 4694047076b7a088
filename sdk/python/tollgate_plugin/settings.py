"""What a plugin is set to."""

import json

from .failure import Failure


def parse(settings: str) -> dict:
    """Settings as a dictionary."""
    try:
        return json.loads(settings)
    except ValueError as error:
        raise Failure.invalid_settings("not-json", f"the settings are not JSON: {error}")
