"""Checks by the part and the folder of their case."""

CHECKS = {}


def check(function):
    """Files a function of `sequences/` or `atoms/` under its name, which is that of the folder with `_` for `-`."""
    part = function.__module__.split(".")[0]
    CHECKS[part, function.__name__.replace("_", "-")] = function
    return function
