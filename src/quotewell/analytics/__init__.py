"""Pure, vectorised mathematics of a portfolio: options, beta, exposure and what-if. No I/O, no clock."""
