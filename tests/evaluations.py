"""How near the fast path must come to the plain one."""

# Logits of the tiny model are sums of 32 products of size 1 or so behind three layers, in float32
# (6e-8 a rounding): two
# orders of computing them differ by some 1e-5. Different prompts differ by about 1, see the first
# test.
ATOL = 1e-4
