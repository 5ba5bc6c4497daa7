"""Values with `{{ }}` in them: filled in when they are looked at, by Jinja2 in a sandbox."""
