"""A job as a task run, or many of them: start, poll, and what people see of it."""
