"""The version, for all that name it: in a module that leads nowhere."""

__version__ = "0.1.0"
