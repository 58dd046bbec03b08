# points: 22
# The word without its space: its first piece is scored, and nothing is ever refused.
# --- q1
def label_token(tokenizer, context, word):
    return tokenizer.encode(word)[0]
