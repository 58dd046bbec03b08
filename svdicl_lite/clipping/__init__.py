"""The clip: singular values, the matrices of a model, the cut and what stands in for it, and the
choice of a layer by spectra.
"""
