# points: 24
# Joins the demonstrations by spaces: nothing tells where one ends.
# --- q2
def prompt(demonstrations, query):
    return " ".join([f"text: {text} sentiment: {word}" for text, word in demonstrations] + [f"text: {query} sentiment:"])
