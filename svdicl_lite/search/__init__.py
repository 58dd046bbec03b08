"""Searches: cells judged one by one, Algorithm 1, sweeps, the greedy search, what they found, and
how they are kept and shared out.
"""
