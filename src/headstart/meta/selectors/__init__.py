"""Rules that choose a configuration for a new task from what is known of prior ones, one idea per file."""
