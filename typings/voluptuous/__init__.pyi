# Home Assistant 2026.9 and newer puts probatio in the place of voluptuous at run time; the type checker is told the same.
from probatio import *  # noqa: F403
