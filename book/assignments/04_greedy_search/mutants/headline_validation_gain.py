# points: 31
# Chooses on validation and reports what validation promised.
# --- q4
def headline(searches):
    index = max(range(len(searches)), key=lambda i: searches[i][0])
    return index, searches[index][0]
