"""Rules that choose which layer to clip, one file a rule; `registry` names them all. Taught in
chapter 08.
"""
