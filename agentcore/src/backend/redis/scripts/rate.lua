-- Decides whether a message may pass: the rules of `RateLimiter`, in microseconds, by the clock of Redis.
--
-- KEYS: one for each quota. ARGV[1]: cost. Then for each quota: algorithm, messages, window, and two numbers that
-- depend on the algorithm. `s` (sliding log): granularity to which times are rounded up, 0. `g` (GCRA): time that the
-- cost takes, in whole microseconds and in fractions of 1/messages microsecond.
-- Returns the microseconds to wait. 0: the message passes and is counted.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])

-- Writes all digits of a number; Lua's default conversion keeps 14.
local function to_integer_text(number)
  return string.format('%.0f', number)
end

-- An entry of a log: its time, the cost counted before it since the log began, and its own cost.
local function parse_entry(entry)
  if not entry then return nil end
  local at, before, taken = string.match(entry, '^(%d+) (%d+) (%d+)$')
  return { at = tonumber(at), before = tonumber(before), taken = tonumber(taken) }
end

local function format_entry(entry)
  return to_integer_text(entry.at) .. ' ' .. to_integer_text(entry.before) .. ' ' .. to_integer_text(entry.taken)
end

-- Shifts all times after the clock of Redis went back, so that nobody waits longer than a window.
local function shift_back(log, by)
  local entries = call('LRANGE', log, 0, -1)
  call('DEL', log)
  for _, entry in ipairs(entries) do
    local shifted = parse_entry(entry)
    shifted.at = math.max(0, shifted.at - by)
    call('RPUSH', log, format_entry(shifted))
  end
end

local function check_log(log, messages, window, granularity)
  local last = parse_entry(call('LINDEX', log, -1))
  if last and last.at > now + granularity then
    shift_back(log, last.at - now)
    last.at = now
  end
  if not last or last.at + window <= now then
    if last then call('DEL', log) end
    return { wait = 0 }
  end
  -- Drops expired entries. The loop ends because the last entry has not expired.
  local first = parse_entry(call('LINDEX', log, 0))
  while first.at + window <= now do
    local chunk, expired = call('LRANGE', log, 0, 63), 0
    for _, entry in ipairs(chunk) do
      first = parse_entry(entry)
      if first.at + window > now then break end
      expired = expired + 1
    end
    call('LTRIM', log, expired, -1)
  end
  local excess = last.before + last.taken - first.before + cost - messages
  local wait = 0
  if excess > 0 then
    -- Waits until the oldest entries that hold the excess have expired. Each entry holds at least 1.
    local upto = first.before + excess
    for _, entry in ipairs(call('LRANGE', log, 0, excess - 1)) do
      local oldest = parse_entry(entry)
      wait = oldest.at + window - now
      if oldest.before + oldest.taken >= upto then break end
    end
  end
  return { last = last, wait = wait }
end

local function add_to_log(log, checked, window, granularity)
  local last = checked.last
  -- Rounds the time up: the entry counts slightly longer, so no window holds too many messages.
  local over = math.fmod(now, granularity)
  local at = over == 0 and now or now - over + granularity
  if last then at = math.max(at, last.at) end
  if last and last.at == at then
    last.taken = last.taken + cost
    call('LSET', log, -1, format_entry(last))
  else
    local before = last and last.before + last.taken or 0
    call('RPUSH', log, format_entry({ at = at, before = before, taken = cost }))
  end
  call('PEXPIRE', log, math.ceil((at + window - now) / 1000) + 1)
end

-- The cell holds the time at which the whole quota is available again (the theoretical arrival time of GCRA), in whole
-- microseconds and in fractions of 1/messages microsecond.
local function check_cell(cell, messages, window, cost_micros, cost_fraction)
  local arrival, fraction, denominator = now, 0, messages
  local value = call('GET', cell)
  if value then
    arrival, fraction, denominator = string.match(value, '^(%d+) (%d+) (%d+)$')
    arrival, fraction, denominator = tonumber(arrival), tonumber(fraction), tonumber(denominator)
    if denominator ~= messages and fraction > 0 then arrival, fraction = arrival + 1, 0 end
    if arrival < now then arrival, fraction = now, 0 end
    -- The clock went back: no more than the whole quota can be in use.
    if arrival > now + window then arrival, fraction = now + window, 0 end
  end
  arrival, fraction = arrival + cost_micros, fraction + cost_fraction
  if fraction >= messages then arrival, fraction = arrival + 1, fraction - messages end
  local excess = arrival - now - window
  if fraction > 0 then excess = excess + 1 end
  return { wait = math.max(0, excess), arrival = arrival, fraction = fraction }
end

local checked, wait = {}, 0
for number, name in ipairs(KEYS) do
  local index = number * 5 - 3
  local messages, window = tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2])
  local first, second = tonumber(ARGV[index + 3]), tonumber(ARGV[index + 4])
  if ARGV[index] == 's' then
    checked[number] = check_log(name, messages, window, first)
  else
    checked[number] = check_cell(name, messages, window, first, second)
  end
  wait = math.max(wait, checked[number].wait)
end
if wait > 0 then return to_integer_text(wait) end
if cost == 0 then return '0' end
for number, name in ipairs(KEYS) do
  local index = number * 5 - 3
  local messages, window = ARGV[index + 1], tonumber(ARGV[index + 2])
  if ARGV[index] == 's' then
    add_to_log(name, checked[number], window, tonumber(ARGV[index + 3]))
  else
    local cell = checked[number]
    call('SET', name, to_integer_text(cell.arrival) .. ' ' .. to_integer_text(cell.fraction) .. ' ' .. messages,
      'PX', math.ceil((cell.arrival - now) / 1000) + 1)
  end
end
return '0'
