"""The classroom: submissions in, marks and feedback out. It knows nothing of the method, and the
method nothing of it.
"""
