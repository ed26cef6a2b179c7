"""A project that uses the public API, as a type checker sees it."""
