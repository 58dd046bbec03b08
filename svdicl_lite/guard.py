from otter.plugins import AbstractOtterPlugin
class Guard(AbstractOtterPlugin):
    """Limits and isolation for one submission."""
