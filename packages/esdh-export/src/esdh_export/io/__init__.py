"""Files that are hashed as they are written, past the page cache and in the background where that pays."""
