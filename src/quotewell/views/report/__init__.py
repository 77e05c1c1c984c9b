"""`quotewell summary FILE --html`: the report as one file that opens anywhere, without a network."""
