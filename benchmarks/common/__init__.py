"""What the folders share: rows, runs that resume, tables, means and errors."""
