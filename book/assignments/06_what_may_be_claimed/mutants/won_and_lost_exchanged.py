# points: 31
# Counts what was lost as won.
# --- q1
def won_lost(before, after):
    return int((before & ~after).sum()), int((~before & after).sum())
