# points: 24
# Takes the first piece of a word that falls into several.
# --- q1
def label_token(tokenizer, context, word):
    return tokenizer.encode(f"{context} {word}")[len(tokenizer.encode(context))]
