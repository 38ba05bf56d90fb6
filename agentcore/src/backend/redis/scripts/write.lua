
-- ARGV[6..12]: lease, epoch; bounds of connections, of a user's, of an address's, of groups; whether all of it needs memory.
-- Then changes, each a letter and what belongs to it. The answer has a number for each.
local own = writer(ARGV[6], ARGV[7])
if not own then return false end
local total, per_user, per_ip = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local most_groups = tonumber(ARGV[11])
if ARGV[12] == '0' then also_when_full() end

local REFUSED_TOTAL, REFUSED_USER, REFUSED_IP, UNSURE = -1, -2, -3, -4
local lease, unsure = own.lease, now < state.unsure
local online, users, ips, members = key('online'), key('u:' .. lease), key('i:' .. lease), key('g:' .. lease)
local presences, due = key('p:' .. lease), key('due')

-- What the other live nodes have: nobody else writes in this step.
local others, other_places, other_groups = {}, 0, 0
for _, node in ipairs(nodes) do
  if node.live and node ~= own then
    others[#others + 1] = { users = key('u:' .. node.lease), ips = key('i:' .. node.lease) }
    other_places, other_groups = other_places + node.places, other_groups + node.groups
  end
end

local function count(hash, field)
  return tonumber(call('HGET', hash, field) or 0)
end

local function of_others(kind, field)
  local sum = 0
  for _, other in ipairs(others) do sum = sum + count(other[kind], field) end
  return sum
end

local function take(user, ip)
  if ip ~= '' then call('HINCRBY', ips, ip, 1) end
  if call('HINCRBY', users, user, 1) == 1 then call('HINCRBY', online, user, 1) end
  own.places = own.places + 1
end

local function admit(user, ip)
  if unsure then return UNSURE end
  if other_places + own.places >= total then return REFUSED_TOTAL end
  local has = count(users, user)
  -- Most users are on no other node, and then nobody needs to be asked.
  if #others > 0 and count(online, user) > (has > 0 and 1 or 0) then has = has + of_others('users', user) end
  if has >= per_user then return REFUSED_USER end
  if ip ~= '' then
    if count(ips, ip) + of_others('ips', ip) >= per_ip then return REFUSED_IP end
  end
  take(user, ip)
  return has + 1
end

local function release(user, ip)
  local has = count(users, user)
  if has == 0 then return end
  if one_less(users, user) <= 0 then one_less(online, user) end
  if ip ~= '' and count(ips, ip) > 0 then one_less(ips, ip) end
  own.places = math.max(0, own.places - 1)
end

local function set(hash, field, number)
  if number == '0' then return -call('HDEL', hash, field) end
  return call('HSET', hash, field, number)
end

local function places(user, number)
  local change = set(users, user, number)
  if change > 0 then call('HINCRBY', online, user, 1) end
  if change < 0 then one_less(online, user) end
end

local function groups(wanted, needed)
  local free = math.max(0, most_groups - other_groups)
  -- Nobody knows what the others have: it keeps what it has.
  if unsure then free = own.groups end
  own.groups = math.max(needed, math.min(wanted, free))
  if unsure and own.groups < wanted then return UNSURE end
  return own.groups
end

local function enter(channel, user, joined, left, again)
  local presence = channel .. '\n' .. user
  if call('HSET', presences, presence, left) == 0 then return end
  if call('HINCRBY', key('pn'), presence, 1) > 1 then return end
  call('HINCRBY', key('pc'), channel, 1)
  if call('ZREM', due, presence) == 1 then
    call('HDEL', key('gone'), presence)
  elseif not (again and unsure) then
    call('PUBLISH', channel, joined)
  end
end

local function exit(channel, user, lost)
  local presence = channel .. '\n' .. user
  local left = call('HGET', presences, presence)
  if not left then return end
  call('HDEL', presences, presence)
  leaves(presence, left, lost)
end

local outcomes, at = {}, 13
while ARGV[at] do
  local what, outcome = ARGV[at], 0
  local a, b, c, d, e = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  at = at + 3
  if what == 'A' then
    outcome = admit(a, b)
  elseif what == 'T' then
    take(a, b)
  elseif what == 'R' then
    release(a, b)
  elseif what == 'P' then
    places(a, b)
  elseif what == 'I' then
    set(ips, a, b)
  elseif what == 'M' then
    set(members, a, b)
  elseif what == 'G' then
    outcome = groups(tonumber(a), tonumber(b))
  elseif what == 'E' then
    enter(a, b, c, d, e == '1')
    at = at + 3
  else
    exit(a, b, c == '1')
    at = at + 1
  end
  outcomes[#outcomes + 1] = outcome
end
save(own)
return outcomes
