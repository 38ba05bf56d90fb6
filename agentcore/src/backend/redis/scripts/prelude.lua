-- What every script of the registry begins with: the clock, the state, and who is live.
--
-- KEYS[1] is what all keys begin with; they share its hash tag. ARGV[1..5]: milliseconds of a lease, of the expiry of the
-- registry, of the expiry of presence, of the grace of a presence; the run id of the server, empty if it is not known.
local call = redis.call
local LEASE, REGISTRY, PRESENCE = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local GRACE, RUN = tonumber(ARGV[4]), ARGV[5]

-- One hash has the epoch (epoch, begun, run, unsure), the clock (stamp, grace), and `n<lease>` for each node.
local STATE = KEYS[1] .. ':state'

-- The keys of an epoch, each with a marker that nobody's name can be, so that a key exists as long as nobody loses it:
-- users and on how many leases they are; present users and on how many leases; groups and how many are present; when
-- graces end; what to publish then. And of one lease: places of users and of addresses, members of groups, presences.
local SHARED = { 'online', 'pn', 'pc', 'due', 'gone' }
local OWN = { 'u:', 'i:', 'g:', 'p:' }
local MARKER = ''

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state, nodes, node_of = {}, {}, {}

local function key(name)
  return KEYS[1] .. ':' .. state.epoch .. ':' .. name
end

-- Once a script has written anything, Redis lets it write on when the memory is full. To judge, to renew and to give back
-- must not fail then; this writes nothing.
local function also_when_full()
  call('HDEL', STATE, MARKER)
end

local function field_of(node)
  return 'n' .. node.lease
end

local function value_of(node)
  return node.expiry .. ' ' .. node.places .. ' ' .. node.groups .. ' ' .. node.join .. ' ' .. node.origin .. ' ' .. node.name
end

local function save(node)
  call('HSET', STATE, field_of(node), value_of(node))
end

local function own_keys(lease)
  local keys = {}
  for at, name in ipairs(OWN) do keys[at] = key(name .. lease) end
  return keys
end

local function shared_keys()
  local keys = {}
  for at, name in ipairs(SHARED) do keys[at] = key(name) end
  return keys
end

-- Something of the epoch is gone, so nothing of it can be trusted. Whoever joins next begins another; if somebody was live,
-- it is one that begins with a loss.
local function lose()
  also_when_full()
  local live = false
  for _, node in ipairs(nodes) do
    live = live or node.live
    call('UNLINK', unpack(own_keys(node.lease)))
  end
  call('UNLINK', unpack(shared_keys()))
  call('UNLINK', STATE)
  state, nodes, node_of = {}, {}, {}
  if live then
    state.lost = '1'
    call('HSET', STATE, 'lost', '1')
    call('PEXPIRE', STATE, REGISTRY)
  end
end

-- Nobody writes to the keys of an epoch before looking whether all are there, so none comes back that was lost.
local function whole(lease)
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
  for at = 1, #flat, 2 do
    local field, value = flat[at], flat[at + 1]
    local lease = string.match(field, '^n(%d+)$')
    if lease then
      local expiry, places, groups, join, origin, name = string.match(value, '^(%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
      local node = {
        lease = lease, expiry = tonumber(expiry), places = tonumber(places), groups = tonumber(groups),
        join = tonumber(join), origin = origin, name = name,
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

-- The clock of Redis went back: nothing may last longer than it would from now on.
local function set_back()
  also_when_full()
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

-- Says who is live. Nobody renewed for half a lease: Redis was away, and all that are not over yet get a lease of grace.
-- Who has been found ended stays so, or what others did about it would be wrong.
local function judge()
  if now < state.stamp then set_back() end
  if now - state.stamp > LEASE / 2 then
    also_when_full()
    state.stamp, state.grace = now, now + LEASE
    call('HSET', STATE, 'stamp', now, 'grace', state.grace)
  end
  for _, node in ipairs(nodes) do
    node.live = node.expiry > now or (node.expiry > 0 and state.grace > now)
    if not node.live and node.expiry > 0 then
      also_when_full()
      node.expiry = 0
      save(node)
    end
  end
end

read_state()
if state.epoch then
  judge()
  -- Another run of the server, with what an earlier one had saved or a replica had received: older than what was written.
  if RUN ~= '' and state.run ~= '' and state.run ~= RUN then lose() end
end

-- The node that writes, unless it is fenced.
local function writer(lease, epoch)
  local node = node_of[lease]
  if state.epoch ~= epoch or not node or not node.live then return nil end
  if whole(lease) then return node end
  lose()
  return nil
end
