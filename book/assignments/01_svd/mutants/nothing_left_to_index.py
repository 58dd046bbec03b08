# points: 16
# Takes the first value that is cut away without asking whether there is one.
# --- q3
def cut_errors(S, rank):
    return np.sqrt(np.square(S[rank:]).sum()), S[rank]
