"""Values of the trading domain and the error tree: no I/O, standard library only."""
