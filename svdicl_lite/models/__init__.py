"""Models: those that ship with the module, and any other decoder, by name or folder."""
