"""Which of several settings of one variable counts, and the files of variables that take part in that."""
