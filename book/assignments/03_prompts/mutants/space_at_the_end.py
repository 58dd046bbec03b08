# points: 24
# Leaves a space at the end of the prompt, so that the label's own space is there twice.
# --- q2
def prompt(demonstrations, query):
    return "".join(f"text: {text} sentiment: {word}\n" for text, word in demonstrations) + f"text: {query} sentiment: "
