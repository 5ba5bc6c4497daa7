"""Values with `{{ }}` in them: filled in when they are read, by Jinja2 in a sandbox."""
