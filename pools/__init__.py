"""What a connection pool is: its settings, its decisions, and the rooms that act on them."""
