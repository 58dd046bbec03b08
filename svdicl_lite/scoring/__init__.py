"""Scores: from examples to prompts, from prompts to label scores, plainly and fast, and what they
say of a model.
"""
