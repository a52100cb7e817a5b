"""The live check: the real library against a real server in real time, in a child process."""
