"""The version of the package. A module of its own: the package imports its public names from modules that need it."""

__version__ = "0.2.0"
