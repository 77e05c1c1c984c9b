"""Where values are kept: the memory cache in front, the levels behind it, the engine that joins them.

- `memory` is the hot cache that readers look into without a lock.
- `memory_level`, `sqlite`, `valkey` and `postgres` are levels: dumb stores behind `protocols.Level`.
- `codec` turns records into rows and bytes, for every level that leaves the process.
"""

from __future__ import annotations
