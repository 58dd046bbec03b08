"""The command line, `svdicl`: options in, tables or JSON out, an error in one sentence."""
