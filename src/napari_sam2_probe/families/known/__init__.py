"""The families that come with the package, one module each."""
