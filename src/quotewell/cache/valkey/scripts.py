"""The steps that must not be interrupted, as scripts that the server runs, and the keys that they keep.

All keys begin with a prefix, here `P`:

- `P:r:TABLE:KEY` a record: a header, the last failure, and the values as an array in msgpack. It expires
  when they are too old even for errors.
- `P:c:SYMBOL` the closes of a symbol: their revision and the series in msgpack.
- `P:i:TABLE` the keys of a table, each with the revision of its last change.
- `P:meta` the revision (`rev`); the first of this store (`born`); those up to which records are forgotten
  (`floor`) and withdrawals are (`forgotten`); for each table the revision of its last write (`t:`), of its
  last invalidation (`inv:`) and deletion (`gone:`) as a whole, and how many keys it has (`n:`).
- `P:log` invalidated and deleted keys by revision, for an hour; `P:when` the times of those revisions.

A server that is short of memory may evict any of these keys. Nothing wrong comes of that: `meta` knows how
many entries the others have, so that a loss is noticed; whole tables are invalidated and deleted by a number
in `meta`, below which no record counts; and when `meta` itself is lost, so is everything.

The header: format of the body, length of the header, flags (1: invalidated, 2: has closes), length of the
failure; then as doubles the revision of the failure, that of the last write or invalidation of the value, and
`fetched_at`. A later format may make it longer; everybody keeps what is behind the part that they know.
"""

from __future__ import annotations

__all__ = [
    "ADOPT",
    "BEGIN",
    "CHANGES",
    "CHANNEL",
    "DROP",
    "FAIL",
    "FETCHED_BYTES",
    "HEADER",
    "PUT",
    "SWEEP",
    "WITHDRAW",
]

HEADER = ">BBBIddd"
"""The header as `struct` knows it."""
FETCHED_BYTES = (23, 30)
"""First and last byte of `fetched_at`."""
CHANNEL = ":changes"
"""Behind the prefix: where each write announces its revision."""

_COMMON = """
local P = ARGV[1]
local META, LOG, WHEN = P .. ':meta', P .. ':log', P .. ':when'
local FACETS = {'quote', 'profile', 'risk', 'dividend', 'payouts', 'history', 'fx', 'rate'}

local function meta(field) return tonumber(redis.call('HGET', META, field) or '0') end
local function bound(rev) return string.format('(%.0f', rev) end
local function index(name) return P .. ':i:' .. name end
local function now_in_microseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function begin()
  if redis.call('EXISTS', META) == 0 then
    local born, lost = now_in_microseconds(), 0
    for _, name in ipairs(FACETS) do lost = lost + redis.call('DEL', index(name)) end
    redis.call('DEL', LOG, WHEN)
    redis.call('HSET', META, 'rev', born, 'born', born, 'floor', born,
               'forgotten', lost > 0 and born or 0, 'logged', 0)
  elseif redis.call('ZCARD', LOG) ~= meta('logged') then
    redis.call('HSET', META, 'forgotten', meta('rev'), 'logged', 0)
    redis.call('DEL', LOG, WHEN)
  end
end
"""

_TABLE = (
    _COMMON
    + """
local T = ARGV[2]
local INDEX = index(T)
local function record(key) return P .. ':r:' .. T .. ':' .. key end
local function closes(key) return P .. ':c:' .. key end
local function member(key) return #T .. ':' .. T .. key end
local BASE = 31

local function parsed(blob)
  if not blob then return nil end
  local row = {}
  row.format, row.length, row.flags, row.size, row.failed, row.rev, row.fetched =
    struct.unpack('>BBBI4ddd', blob)
  row.extra = blob:sub(BASE + 1, row.length)
  row.failure = blob:sub(row.length + 1, row.length + row.size)
  row.body = blob:sub(row.length + row.size + 1)
  return row
end
local function packed(row)
  return struct.pack('>BBBI4ddd', row.format, row.length, row.flags, #row.failure, row.failed, row.rev,
                     row.fetched) .. row.extra .. row.failure .. row.body
end
local function floor() return math.max(meta('floor'), meta('gone:' .. T)) end
local function alive(key, lowest)
  local row = parsed(redis.call('GET', record(key)))
  if row and math.max(row.rev, row.failed) > lowest then return row end
  return nil
end

local function check_index()
  local known = meta('n:' .. T)
  if redis.call('ZCARD', INDEX) ~= known then
    redis.call('DEL', INDEX)
    redis.call('HSET', META, 'n:' .. T, 0, 'lost:' .. T, meta('rev'))
  end
end
local function count_index() redis.call('HSET', META, 'n:' .. T, redis.call('ZCARD', INDEX)) end

local function advance()
  begin()
  check_index()
  local rev = redis.call('HINCRBY', META, 'rev', 1)
  redis.call('HSET', META, 't:' .. T, rev)
  return rev
end
local function finish(rev)
  count_index()
  redis.call('PUBLISH', P .. ':changes', string.format('%.0f', rev))
end

-- Whether all, or single keys, were withdrawn after a fetch began; another store's revision counts as none.
local function withdrawal(begun, rev)
  if begun >= rev or begun < meta('born') then begun = 0 end
  local all = begun < meta('forgotten') or begun < meta('inv:' .. T) or begun < meta('gone:' .. T)
  local any = meta('logged') > 0
  return begun, all, function(key)
    local at = any and redis.call('ZSCORE', LOG, member(key))
    return at and tonumber(at) > begun
  end
end
"""
)

BEGIN = _COMMON + "begin() return redis.call('HGET', META, 'rev')"
"""Makes the counter, where there is none; returns the revision."""

ADOPT = (
    _COMMON
    + """
begin()
local run = redis.call('HGET', META, 'run')
if run ~= ARGV[2] then
  if run then
    local born = math.max(now_in_microseconds(), meta('rev') + 1)
    redis.call('HSET', META, 'rev', born, 'born', born, 'forgotten', born)
  end
  redis.call('HSET', META, 'run', ARGV[2])
end
return redis.call('HGET', META, 'rev')
"""
)
"""Takes the run of a server (argument 2) for the present one; after another one no older revision holds."""

PUT = (
    _TABLE
    + """
local begun, latest = tonumber(ARGV[3]), tonumber(ARGV[4])
local ttl, count = tonumber(ARGV[5]), tonumber(ARGV[6])
local rev = advance()
local all, withdrawn
begun, all, withdrawn = withdrawal(begun, rev)
local lowest = floor()
local series = {}
for i = 7 + 3 * count, #ARGV, 2 do series[ARGV[i]] = ARGV[i + 1] end
local refused, stored = {}, {}

local function set(name, value)
  if ttl > 0 then redis.call('SET', name, value, 'PX', ttl) else redis.call('SET', name, value) end
end

for i = 0, count - 1 do
  local key, fetched, body = ARGV[7 + 3 * i], tonumber(ARGV[8 + 3 * i]), ARGV[9 + 3 * i]
  local old = alive(key, lowest)
  if not fetched or all or withdrawn(key)
     or (old and fetched < old.fetched and old.fetched <= latest) then
    refused[#refused + 1] = i
  else
    local flags = old and old.flags >= 2 and 2 or 0
    local bars = series[key]
    if bars == '' then
      redis.call('DEL', closes(key))
      flags = 0
    elseif bars then
      set(closes(key), struct.pack('>d', rev) .. bars)
      flags = 2
    end
    set(record(key), packed({format = 1, length = BASE, flags = flags, fetched = fetched, rev = rev,
                             failed = 0, extra = '', failure = '', body = body}))
    stored[#stored + 1] = key
  end
end
-- Behind the records, so that these lie side by side in the server's memory: a third faster to read.
for _, key in ipairs(stored) do redis.call('ZADD', INDEX, rev, key) end
finish(rev)
return refused
"""
)
"""Stores values.

Arguments: prefix, table, `begun`, the instant up to which a stored value is not dated in the future,
milliseconds until expiry (0: never), number of records; for each key, `fetched_at` (empty: none) and body;
then symbol and series of closes (empty: remove). Returns the places of the refused.
"""

FAIL = (
    _TABLE
    + """
local begun, ttl = tonumber(ARGV[3]), tonumber(ARGV[4])
local rev = advance()
local all, withdrawn
begun, all, withdrawn = withdrawal(begun, rev)
local lowest = floor()
if not all then
  for i = 5, #ARGV, 2 do
    local key, failure = ARGV[i], ARGV[i + 1]
    local row = alive(key, lowest)
    if not withdrawn(key) and (not row or row.rev <= begun) then
      local new = not row
      row = row or {format = 1, length = BASE, flags = 0, fetched = -math.huge, rev = 0,
                    extra = '', body = ''}
      row.failed, row.failure = rev, failure
      if not new then
        redis.call('SET', record(key), packed(row), 'KEEPTTL')
      elseif ttl > 0 then
        redis.call('SET', record(key), packed(row), 'PX', ttl)
      else
        redis.call('SET', record(key), packed(row))
      end
      redis.call('ZADD', INDEX, rev, key)
    end
  end
end
finish(rev)
return rev
"""
)
"""Remembers failures.

Arguments: prefix, table, `begun`, milliseconds until a record without a value expires, keys and failures.
"""

WITHDRAW = (
    _TABLE
    + """
local gone, whole, now = ARGV[3] == 'gone', ARGV[4] == 'whole', tonumber(ARGV[5])
-- A full server refuses a script whose first write takes memory; but to forget must be possible even then.
redis.call('DEL', P .. ':nothing')
local rev = advance()

local last = 0
for _, range in ipairs({{'-inf', '(' .. ARGV[6]}, {'(' .. ARGV[7], '+inf'}}) do
  for _, logged in ipairs(redis.call('ZRANGEBYSCORE', WHEN, range[1], range[2])) do
    last = math.max(last, tonumber(logged))
  end
  redis.call('ZREMRANGEBYSCORE', WHEN, range[1], range[2])
end
if last > 0 then
  redis.call('HSET', META, 'forgotten', math.max(meta('forgotten'), last))
  redis.call('ZREMRANGEBYSCORE', LOG, '-inf', last)
end

local concerned, left = 0, ''
if whole then
  concerned = redis.call('ZCARD', INDEX)
  redis.call('HSET', META, (gone and 'gone:' or 'inv:') .. T, rev)
  if gone and concerned > 0 then
    left = P .. ':gone:' .. string.format('%.0f', rev)
    redis.call('RENAME', INDEX, left)
  end
else
  local lowest = floor()
  for i = 8, #ARGV do
    local key = ARGV[i]
    local row = alive(key, lowest)
    redis.call('ZADD', LOG, rev, member(key))
    if row then concerned = concerned + 1 end
    if gone then
      redis.call('DEL', record(key))
      redis.call('ZREM', INDEX, key)
      if T == 'history' then redis.call('DEL', closes(key)) end
    elseif row then
      row.flags, row.rev = row.flags % 2 == 1 and row.flags or row.flags + 1, rev
      redis.call('SET', record(key), packed(row), 'KEEPTTL')
      redis.call('ZADD', INDEX, rev, key)
    end
  end
  redis.call('ZADD', WHEN, now, string.format('%.0f', rev))
end
redis.call('HSET', META, 'logged', redis.call('ZCARD', LOG))
finish(rev)
return {concerned, left}
"""
)
"""Invalidates or deletes.

Arguments: prefix, table, `gone` or not, `whole` or not, now, the instants before and after which the log is
forgotten, keys. Returns how many records it concerned, and the name of what `SWEEP` has to remove.
"""

SWEEP = (
    _TABLE
    + """
local lowest = floor()
local keys = redis.call('ZRANGE', ARGV[3], 0, tonumber(ARGV[4]) - 1)
for _, key in ipairs(keys) do
  if not alive(key, lowest) then
    redis.call('DEL', record(key))
    if T == 'history' then redis.call('DEL', closes(key)) end
  end
end
redis.call('ZREMRANGEBYRANK', ARGV[3], 0, tonumber(ARGV[4]) - 1)
return #keys
"""
)
"""Removes records of a deleted table: prefix, table, the name of its old index, how many at most."""

DROP = (
    _TABLE
    + """
check_index()
local dropped = 0
for i = 3, #ARGV, 2 do
  local key = ARGV[i]
  if redis.call('GETRANGE', record(key), 23, 30) == ARGV[i + 1] then
    dropped = dropped + redis.call('DEL', record(key))
    if T == 'history' then redis.call('DEL', closes(key)) end
    redis.call('ZREM', INDEX, key)
  end
end
count_index()
return dropped
"""
)
"""Prunes: prefix, table, keys with the `fetched_at` that they had, as in the header (empty: expired)."""

CHANGES = (
    _COMMON
    + """
local rev = tonumber(ARGV[2])
begin()
local current, born = meta('rev'), meta('born')
local rebuilt = rev < born or rev > current
if rebuilt then rev = born end
local head = {string.format('%.0f', current), rebuilt and 1 or 0}
if rev < meta('forgotten') then return {head[1], head[2], 1} end
local found = {}
local fields = redis.call('HGETALL', META)
for i = 1, #fields, 2 do
  local name = fields[i]:match('^t:(.*)$')
  if name and tonumber(fields[i + 1]) > rev then
    local lost = redis.call('ZCARD', index(name)) ~= meta('n:' .. name)
    local invalidated = meta('inv:' .. name) > rev
    if meta('gone:' .. name) > rev or (rebuilt and invalidated) then return {head[1], head[2], 1} end
    if not rebuilt then
      -- What an index that was lost had in it cannot be told any more.
      local since = meta('lost:' .. name)
      if lost or since > rev or (invalidated and since > 0) then return {head[1], head[2], 1} end
      local keys
      if invalidated then
        keys = redis.call('ZRANGE', index(name), 0, -1)
      else
        keys = redis.call('ZRANGEBYSCORE', index(name), bound(rev), '+inf')
      end
      found[#found + 1] = {name, keys}
    end
  end
end
return {head[1], head[2], 0, found, redis.call('ZRANGEBYSCORE', LOG, bound(rev), '+inf')}
"""
)
"""What changed after a revision (argument 2).

Returns the revision now, 1 for another store, 1 for all; else tables with keys, and entries of the log.
"""
