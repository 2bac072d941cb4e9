"""What is claimed about faults, measured: processes killed at any moment, and files that are damaged at random."""
