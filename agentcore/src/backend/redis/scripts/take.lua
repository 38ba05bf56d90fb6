-- Whether a message may pass: the rules of `RateLimiter`, in microseconds, by the clock of Redis.
--
-- KEYS: one for each quota. ARGV[1]: the cost. Then for each quota: its rule, messages, window, and by rule: `s` the grain
-- to which a time is rounded up; `g` what the cost takes, in whole microseconds and in parts of 1/messages of one.
-- Answers how long to wait; 0: it has passed, and is counted.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])

-- All digits: Lua writes but 14 of them.
local function whole(number)
  return string.format('%.0f', number)
end

-- An entry of a log: when, how much had been taken before it since the log began, and how much was taken then.
local function read(entry)
  if not entry then return nil end
  local at, before, taken = string.match(entry, '^(%d+) (%d+) (%d+)$')
  return { at = tonumber(at), before = tonumber(before), taken = tonumber(taken) }
end

local function write(entry)
  return whole(entry.at) .. ' ' .. whole(entry.before) .. ' ' .. whole(entry.taken)
end

-- The clock went back: times that are yet to come are moved, so that nobody waits for longer than a window.
local function move_back(log, by)
  local entries = call('LRANGE', log, 0, -1)
  call('DEL', log)
  for _, entry in ipairs(entries) do
    local moved = read(entry)
    moved.at = math.max(0, moved.at - by)
    call('RPUSH', log, write(moved))
  end
end

local function look_at_log(log, messages, window, grain)
  local last = read(call('LINDEX', log, -1))
  if last and last.at > now + grain then
    move_back(log, last.at - now)
    last.at = now
  end
  if not last or last.at + window <= now then
    if last then call('DEL', log) end
    return { wait = 0 }
  end
  -- What no longer counts goes; the last entry counts, so this ends.
  local first = read(call('LINDEX', log, 0))
  while first.at + window <= now do
    local some, old = call('LRANGE', log, 0, 63), 0
    for _, entry in ipairs(some) do
      first = read(entry)
      if first.at + window > now then break end
      old = old + 1
    end
    call('LTRIM', log, old, -1)
  end
  local missing = last.before + last.taken - first.before + cost - messages
  local wait = 0
  if missing > 0 then
    -- So much must be given back first, from the oldest on; each entry has at least one.
    local upto = first.before + missing
    for _, entry in ipairs(call('LRANGE', log, 0, missing - 1)) do
      local back = read(entry)
      wait = back.at + window - now
      if back.before + back.taken >= upto then break end
    end
  end
  return { last = last, wait = wait }
end

local function add_to_log(log, seen, window, grain)
  local last = seen.last
  -- Rounded up, never down: it counts for a little longer, and no window has too many.
  local over = math.fmod(now, grain)
  local at = over == 0 and now or now - over + grain
  if last then at = math.max(at, last.at) end
  if last and last.at == at then
    last.taken = last.taken + cost
    call('LSET', log, -1, write(last))
  else
    local before = last and last.before + last.taken or 0
    call('RPUSH', log, write({ at = at, before = before, taken = cost }))
  end
  call('PEXPIRE', log, math.ceil((at + window - now) / 1000) + 1)
end

-- When all that was taken is given back: whole microseconds, and parts of 1/messages of one.
local function look_at_cell(cell, messages, window, takes, parts)
  local till, rest, of = now, 0, messages
  local value = call('GET', cell)
  if value then
    till, rest, of = string.match(value, '^(%d+) (%d+) (%d+)$')
    till, rest, of = tonumber(till), tonumber(rest), tonumber(of)
    if of ~= messages and rest > 0 then till, rest = till + 1, 0 end
    if till < now then till, rest = now, 0 end
    -- The clock went back: nobody can have taken more than all.
    if till > now + window then till, rest = now + window, 0 end
  end
  till, rest = till + takes, rest + parts
  if rest >= messages then till, rest = till + 1, rest - messages end
  local over = till - now - window
  if rest > 0 then over = over + 1 end
  return { wait = math.max(0, over), till = till, rest = rest }
end

local seen, wait = {}, 0
for number, name in ipairs(KEYS) do
  local at = number * 5 - 3
  local messages, window = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local first, second = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if ARGV[at] == 's' then
    seen[number] = look_at_log(name, messages, window, first)
  else
    seen[number] = look_at_cell(name, messages, window, first, second)
  end
  wait = math.max(wait, seen[number].wait)
end
if wait > 0 then return whole(wait) end
if cost == 0 then return '0' end
for number, name in ipairs(KEYS) do
  local at = number * 5 - 3
  local messages, window = ARGV[at + 1], tonumber(ARGV[at + 2])
  if ARGV[at] == 's' then
    add_to_log(name, seen[number], window, tonumber(ARGV[at + 3]))
  else
    local cell = seen[number]
    call('SET', name, whole(cell.till) .. ' ' .. whole(cell.rest) .. ' ' .. messages,
      'PX', math.ceil((cell.till - now) / 1000) + 1)
  end
end
return '0'
