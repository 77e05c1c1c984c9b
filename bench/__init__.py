"""Benchmarks: peers side by side in one run, interleaved, as ratios; `python -m bench` runs all."""
