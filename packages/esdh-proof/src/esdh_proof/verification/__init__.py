"""The work of a verification: the files as they are listed, the rows of each part, and what all parts say together."""
