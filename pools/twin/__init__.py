"""The twin: the real library in virtual time, on a network and a server in memory."""
