"""What page and HTML report show of a book, as texts: both say the same in the same words. Pure."""
