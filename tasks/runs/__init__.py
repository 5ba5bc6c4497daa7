"""Flow runs as the server and this process know them."""
