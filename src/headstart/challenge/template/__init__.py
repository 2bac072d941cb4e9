"""Files that `headstart export --as submission` writes beside the copy of the package."""
