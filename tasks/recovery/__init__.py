"""A run whose process died goes on elsewhere, once."""
