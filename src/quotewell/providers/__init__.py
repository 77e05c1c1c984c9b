"""Where market data comes from: providers, the chain that orders them, and the border that checks them.

- `chain`: the providers of a service in order, each behind a `circuit` breaker;
- `validate`: what every value must pass before it is stored, `plausible` for prices that jump;
- `transport`, `halving`, `treasury`: what providers share: turns and pauses, bad batches, Treasury yields;
- `yahoo`, `fmp`, `files`, `snapshot`: the providers.
"""
