# points: 23
# Asks whether the spaced word is one token, then scores the word without its space.
# --- q1
def label_token(tokenizer, context, word):
    if len(tokenizer.encode(f" {word}")) != 1:
        raise ValueError(f"{word!r} is not one token")
    return tokenizer.encode(word)[0]
