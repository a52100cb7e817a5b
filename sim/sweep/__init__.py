"""Sweeps: one or two settings varied together, every cell simulated until it is known well."""
