
-- ARGV[6..7]: lease, epoch. ARGV[8..11]: limits of connections, per user, per address, and of groups.
-- ARGV[12]: 1 when every change needs memory. Then the changes: a letter and its arguments each.
-- Returns a number for each change, or false when the writer is fenced.
local own = writing_node(ARGV[6], ARGV[7])
if not own then return false end
local total, per_user, per_ip = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local max_groups = tonumber(ARGV[11])
if ARGV[12] == '0' then allow_writes_when_full() end

local REFUSED_TOTAL, REFUSED_USER, REFUSED_IP, UNCERTAIN = -1, -2, -3, -4
local lease, uncertain = own.lease, now < state.unsure
local online, users, ips, members = key('online'), key('u:' .. lease), key('i:' .. lease), key('g:' .. lease)
local presences, due = key('p:' .. lease), key('due')

-- Totals of the other live nodes; they cannot change while this script runs.
local others, other_connections, other_groups = {}, 0, 0
for _, node in ipairs(nodes) do
  if node.live and node ~= own then
    others[#others + 1] = { users = key('u:' .. node.lease), ips = key('i:' .. node.lease) }
    other_connections, other_groups = other_connections + node.connections, other_groups + node.groups
  end
end

local function count(hash, field)
  return tonumber(call('HGET', hash, field) or 0)
end

local function count_elsewhere(kind, field)
  local sum = 0
  for _, other in ipairs(others) do sum = sum + count(other[kind], field) end
  return sum
end

local function force_admit(user, ip)
  if ip ~= '' then call('HINCRBY', ips, ip, 1) end
  if call('HINCRBY', users, user, 1) == 1 then call('HINCRBY', online, user, 1) end
  own.connections = own.connections + 1
end

local function admit(user, ip)
  if uncertain then return UNCERTAIN end
  if other_connections + own.connections >= total then return REFUSED_TOTAL end
  local connections = count(users, user)
  -- Most users are on one node only; `online` says so without asking the other leases.
  if #others > 0 and count(online, user) > (connections > 0 and 1 or 0) then
    connections = connections + count_elsewhere('users', user)
  end
  if connections >= per_user then return REFUSED_USER end
  if ip ~= '' then
    if count(ips, ip) + count_elsewhere('ips', ip) >= per_ip then return REFUSED_IP end
  end
  force_admit(user, ip)
  return connections + 1
end

local function release(user, ip)
  if count(users, user) == 0 then return end
  if decrement(users, user) <= 0 then decrement(online, user) end
  if ip ~= '' and count(ips, ip) > 0 then decrement(ips, ip) end
  own.connections = math.max(0, own.connections - 1)
end

-- Sets a count, and removes it at zero. Returns 1 when the field is new, -1 when it was removed, otherwise 0.
local function set(hash, field, number)
  if number == '0' then return -call('HDEL', hash, field) end
  return call('HSET', hash, field, number)
end

local function set_user_connections(user, number)
  local change = set(users, user, number)
  if change > 0 then call('HINCRBY', online, user, 1) end
  if change < 0 then decrement(online, user) end
end

local function resize_group_quota(wanted, needed)
  local free = math.max(0, max_groups - other_groups)
  -- The quotas of other nodes are unknown, so this node gets no more than it has.
  if uncertain then free = own.groups end
  own.groups = math.max(needed, math.min(wanted, free))
  if uncertain and own.groups < wanted then return UNCERTAIN end
  return own.groups
end

local function enter(channel, user, joined_message, left_message, is_replay)
  local presence = channel .. '\n' .. user
  if call('HSET', presences, presence, left_message) == 0 then return end
  if call('HINCRBY', key('pn'), presence, 1) > 1 then return end
  call('HINCRBY', key('pc'), channel, 1)
  if call('ZREM', due, presence) == 1 then
    call('HDEL', key('gone'), presence)
  elseif not (is_replay and uncertain) then
    call('PUBLISH', channel, joined_message)
  end
end

local function exit(channel, user, with_grace)
  local presence = channel .. '\n' .. user
  local left_message = call('HGET', presences, presence)
  if not left_message then return end
  call('HDEL', presences, presence)
  leave(presence, left_message, with_grace)
end

local outcomes, index = {}, 13
while ARGV[index] do
  local kind, outcome = ARGV[index], 0
  local a, b, c, d, e = ARGV[index + 1], ARGV[index + 2], ARGV[index + 3], ARGV[index + 4], ARGV[index + 5]
  index = index + 3
  if kind == 'A' then
    outcome = admit(a, b)
  elseif kind == 'T' then
    force_admit(a, b)
  elseif kind == 'R' then
    release(a, b)
  elseif kind == 'P' then
    set_user_connections(a, b)
  elseif kind == 'I' then
    set(ips, a, b)
  elseif kind == 'M' then
    set(members, a, b)
  elseif kind == 'G' then
    outcome = resize_group_quota(tonumber(a), tonumber(b))
  elseif kind == 'E' then
    enter(a, b, c, d, e == '1')
    index = index + 3
  else
    exit(a, b, c == '1')
    index = index + 1
  end
  outcomes[#outcomes + 1] = outcome
end
save(own)
return outcomes
