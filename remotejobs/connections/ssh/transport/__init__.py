"""What paramiko speaks over: the stream, the algorithms, doors that many share (`link` puts them together)."""
