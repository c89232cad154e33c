"""How a worker is started and emptied: one file per kind of board."""
