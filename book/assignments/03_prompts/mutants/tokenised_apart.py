# points: 23
# Tokenises the answer apart from its context.
# --- q1
def label_token(tokenizer, context, word):
    tokens = tokenizer.encode(f" {word}")
    if len(tokens) != 1:
        raise ValueError(f"{word!r} is not one token")
    return tokens[0]
