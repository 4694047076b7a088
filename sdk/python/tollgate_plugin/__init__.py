"""Plugins for Tollgate, in Python: what all three kinds share.

Each kind has its own module: `tollgate_plugin.transform`, `.detector` and
`.action`. What the host does with a plugin is written in wit/0.1.

There is no clock, no true randomness, no file and no network. A module's top
level runs once, when the component is built: do there what is slow (imports,
tables). The standard library is there; packages with native code are not.
"""

from .failure import Failure
from .log import log

__all__ = ["Failure", "log"]
