"""The learners of the table: each is a program that runs in a process of its own."""
