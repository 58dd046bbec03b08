# points: 26
# Calls the library where the function should be written by hand.
# --- q2
from svdicl_lite.stats import mcnemar


def mcnemar_p(before, after):
    return mcnemar(before, after)
