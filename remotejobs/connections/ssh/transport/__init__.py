"""What paramiko speaks over: the stream, the algorithms, doors that many share (`session` puts them together)."""
