"""The error of a checkpoint that is not used. Taught in chapter 15."""


class Refused(ValueError):
    """A checkpoint that is not used, for a reason that its message tells."""
