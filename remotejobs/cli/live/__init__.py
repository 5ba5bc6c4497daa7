"""The display of `remotejobs watch`, which changes while one looks at it."""
