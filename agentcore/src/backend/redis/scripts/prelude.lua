-- The first part of every registry script: reads the clock and the state, and decides which nodes are live.
--
-- KEYS[1]: prefix of all keys; they share its hash tag.
-- ARGV[1..4]: milliseconds of a lease, of the registry's expiry, of the presence expiry, of the presence grace period.
-- ARGV[5]: run id of the server; empty when it is unknown.
local call = redis.call
local LEASE, REGISTRY, PRESENCE = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local GRACE, RUN = tonumber(ARGV[4]), ARGV[5]

-- One hash holds the epoch (epoch, begun, run, unsure), the clock (stamp, grace), and a field `n<lease>` for each node.
local STATE = KEYS[1] .. ':state'

-- Keys of an epoch. Each holds a marker, so that it exists until Redis loses it; no user, group or address has that
-- name. Shared: users with their number of leases, present users with their number of leases, groups with their number
-- of present users, ends of grace periods, leave messages of present users in their grace period.
local SHARED = { 'online', 'pn', 'pc', 'due', 'gone' }
-- Of one lease: connections by user, connections by address, members by group, presences.
local OWN = { 'u:', 'i:', 'g:', 'p:' }
local MARKER = ''

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state, nodes, node_of = {}, {}, {}

local function key(name)
  return KEYS[1] .. ':' .. state.epoch .. ':' .. name
end

-- Lets the rest of the script write when the memory of Redis is full: Redis permits it once a script has written
-- anything. Expiring leases, renewing and releasing must not fail then. The command itself changes nothing.
local function allow_writes_when_full()
  call('HDEL', STATE, MARKER)
end

local function field_of(node)
  return 'n' .. node.lease
end

local function value_of(node)
  return node.expiry .. ' ' .. node.connections .. ' ' .. node.groups .. ' ' .. node.attempt .. ' ' .. node.incarnation
    .. ' ' .. node.name
end

local function save(node)
  call('HSET', STATE, field_of(node), value_of(node))
end

local function own_keys(lease)
  local keys = {}
  for index, name in ipairs(OWN) do keys[index] = key(name .. lease) end
  return keys
end

local function shared_keys()
  local keys = {}
  for index, name in ipairs(SHARED) do keys[index] = key(name) end
  return keys
end

-- Ends the epoch: Redis has lost a key of it, so the rest cannot be trusted. The next join begins another epoch. If a
-- node was live, that epoch begins with a loss.
local function discard_epoch()
  allow_writes_when_full()
  local any_live = false
  for _, node in ipairs(nodes) do
    any_live = any_live or node.live
    call('UNLINK', unpack(own_keys(node.lease)))
  end
  call('UNLINK', unpack(shared_keys()))
  call('UNLINK', STATE)
  state, nodes, node_of = {}, {}, {}
  if any_live then
    state.lost = '1'
    call('HSET', STATE, 'lost', '1')
    call('PEXPIRE', STATE, REGISTRY)
  end
end

-- Returns whether all shared keys and all keys of `lease` exist. Every script that writes to them checks this first, so
-- that no write recreates a lost key.
local function is_complete(lease)
  local keys = shared_keys()
  local count = #keys
  if lease then
    for _, name in ipairs(own_keys(lease)) do
      count = count + 1
      keys[count] = name
    end
  end
  return call('EXISTS', unpack(keys)) == count
end

local function read_state()
  local flat = call('HGETALL', STATE)
  for index = 1, #flat, 2 do
    local field, value = flat[index], flat[index + 1]
    local lease = string.match(field, '^n(%d+)$')
    if lease then
      local expiry, connections, groups, attempt, incarnation, name =
        string.match(value, '^(%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
      local node = {
        lease = lease, expiry = tonumber(expiry), connections = tonumber(connections), groups = tonumber(groups),
        attempt = tonumber(attempt), incarnation = incarnation, name = name,
      }
      nodes[#nodes + 1] = node
      node_of[lease] = node
    else
      state[field] = value
    end
  end
  for _, field in ipairs({ 'begun', 'unsure', 'stamp', 'grace' }) do
    state[field] = tonumber(state[field] or 0)
  end
end

-- Adjusts all times after the clock of Redis went back, so that nothing lasts longer than if it began now.
local function clamp_times()
  allow_writes_when_full()
  for _, node in ipairs(nodes) do
    if node.expiry > now + LEASE then
      node.expiry = now + LEASE
      save(node)
    end
  end
  state.begun, state.stamp = math.min(state.begun, now), now
  state.unsure, state.grace = math.min(state.unsure, now + LEASE), math.min(state.grace, now + LEASE)
  call('HSET', STATE, 'begun', state.begun, 'unsure', state.unsure, 'stamp', now, 'grace', state.grace)
  local due = key('due')
  repeat
    local late = call('ZRANGEBYSCORE', due, '(' .. (now + GRACE), '(+inf', 'LIMIT', 0, 500)
    for _, presence in ipairs(late) do call('ZADD', due, 'XX', now + GRACE, presence) end
  until #late < 500
end

-- Decides which nodes are live. If no node renewed for half a lease, Redis was unreachable, and leases that have not
-- been found expired last for one more lease. A lease that was once found expired stays expired: others have acted on
-- it.
local function expire_leases()
  if now < state.stamp then clamp_times() end
  if now - state.stamp > LEASE / 2 then
    allow_writes_when_full()
    state.stamp, state.grace = now, now + LEASE
    call('HSET', STATE, 'stamp', now, 'grace', state.grace)
  end
  for _, node in ipairs(nodes) do
    node.live = node.expiry > now or (node.expiry > 0 and state.grace > now)
    if not node.live and node.expiry > 0 then
      allow_writes_when_full()
      node.expiry = 0
      save(node)
    end
  end
end

read_state()
if state.epoch then
  expire_leases()
  -- Another run of the server has loaded a snapshot or is a promoted replica: its data may be older than the last
  -- write.
  if RUN ~= '' and state.run ~= '' and state.run ~= RUN then discard_epoch() end
end

-- Returns the node that writes, or nil when it is fenced.
local function writing_node(lease, epoch)
  local node = node_of[lease]
  if state.epoch ~= epoch or not node or not node.live then return nil end
  if is_complete(lease) then return node end
  discard_epoch()
  return nil
end
