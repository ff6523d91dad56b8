"""Import of an editorial history: reading the file, and replaying it through real saves."""
