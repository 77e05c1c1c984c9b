"""The steps of the coordinator that must not be interrupted, as scripts that the server runs.

Keys, behind a prefix `P`: `P:lease:KEY` (until, length, token), `P:budget:PROVIDER` (the fields of a `Budget`
in msgpack), `P:usage` (count and its instant by symbol), `P:stats:YYYY-MM-DD` (counts by event and facet).
The first argument of each script is the prefix.
"""

from __future__ import annotations

__all__ = ["ADD_USAGE", "LEASE", "RELEASE", "RENEW", "REPLACE"]

_LEASES = """
local P, token, now, seconds = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local blob = struct.pack('<dd', now + seconds, seconds) .. token
-- The server only tidies up; the callers' clock decides.
local kept = math.ceil(seconds * 2000) + 60000
local granted = {}
for i = 5, #ARGV do
  local name = P .. ':lease:' .. ARGV[i]
  local held, mine = redis.call('GET', name), false
  if held then
    local till, length = struct.unpack('<dd', held)
    -- One of which more is left than twice its length has ended, too: the clock was set back.
    if till <= now or till > now + 2 * length then held = false else mine = held:sub(17) == token end
  end
  if mine or (MAY_TAKE and not held) then
    redis.call('SET', name, blob, 'PX', kept)
    granted[#granted + 1] = i - 5
  end
end
return granted
"""

LEASE = _LEASES.replace("MAY_TAKE", "true")
"""Takes leases: token, now, seconds, keys. Returns the places of the granted keys."""

RENEW = _LEASES.replace("MAY_TAKE", "false")
"""Extends leases that are held, likewise."""

RELEASE = """
for i = 3, #ARGV do
  local name = ARGV[1] .. ':lease:' .. ARGV[i]
  local held = redis.call('GET', name)
  if held and held:sub(17) == ARGV[2] then redis.call('DEL', name) end
end
"""
"""Gives leases back: token, keys."""

REPLACE = """
local name = ARGV[1] .. ':budget:' .. ARGV[2]
if (redis.call('GET', name) or '') ~= ARGV[3] then return 0 end
redis.call('SET', name, ARGV[4])
return 1
"""
"""Stores a budget in another's place: provider, the other (empty: none), the new one. Returns 1 if it did."""

ADD_USAGE = """
local name, now, half_life = ARGV[1] .. ':usage', tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 4, #ARGV, 2 do
  local count, at = tonumber(ARGV[i + 1]), now
  local known = redis.call('HGET', name, ARGV[i])
  if known then
    local before
    before, at = struct.unpack('<dd', known)
    count = count + before * 0.5 ^ (math.max(now - at, 0) / half_life)
  end
  redis.call('HSET', name, ARGV[i], struct.pack('<dd', count, now))
end
"""
"""Adds to counts that fade: now, half-life in seconds, symbols and counts."""
