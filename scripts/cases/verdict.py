"""What makes a case fail."""

# Words for two values that should be one and are not.
DISAGREE = r"differ|disagree|contradict|conflict|inconsistent|not (the same|equal)|do(es)? not (agree|match)"


class Wrong(Exception):
    """The answer of the program is none that the case calls right."""


def require(holds, message):
    """Ends the case with the message unless it holds."""
    if not holds:
        raise Wrong(str(message))


def close(value, right, tolerance, what):
    """Ends the case unless the value is the right one within the tolerance."""
    near = value is not None and abs(value - right) <= tolerance
    require(near, f"{what}: {value}, right is {right} within {tolerance}")
