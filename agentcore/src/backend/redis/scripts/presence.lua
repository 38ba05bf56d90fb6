
-- A presence is a field: the channel of the group, a line feed, the user. Neither name has a control character.
local function channel_of(presence)
  return string.match(presence, '^(.-)\n')
end

local function one_less(hash, field)
  local count = call('HINCRBY', hash, field, -1)
  if count <= 0 then call('HDEL', hash, field) end
  return count
end

-- One lease less has a presence. With the last one it is over: published now, or after a grace.
local function leaves(presence, left, lost)
  if one_less(key('pn'), presence) > 0 then return end
  local channel = channel_of(presence)
  one_less(key('pc'), channel)
  if lost then
    call('ZADD', key('due'), now + GRACE, presence)
    call('HSET', key('gone'), presence, left)
  else
    call('PUBLISH', channel, left)
  end
end
