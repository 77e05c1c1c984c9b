"""What processes agree on beside the values: leases, rate budgets, pauses, usage counts, daily statistics.

- `budget`, `usage` and `daily` are the arithmetic, pure, shared by all coordinators.
- `local` serves one process, `sqlite` all processes of a machine; both are `protocols.Coordinator`s.
"""

from __future__ import annotations
