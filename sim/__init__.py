"""What a pool would do under load: scenario in, trace and numbers with intervals out."""
