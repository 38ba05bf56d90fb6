
-- A presence is a hash field: the channel of the group, a line feed, the user. Neither name contains control
-- characters.
local function channel_of(presence)
  return string.match(presence, '^(.-)\n')
end

local function decrement(hash, field)
  local count = call('HINCRBY', hash, field, -1)
  if count <= 0 then call('HDEL', hash, field) end
  return count
end

-- Removes a presence from one lease. After the last lease the leave message is published: now, or after the grace
-- period.
local function leave(presence, left_message, with_grace)
  if decrement(key('pn'), presence) > 0 then return end
  local channel = channel_of(presence)
  decrement(key('pc'), channel)
  if with_grace then
    call('ZADD', key('due'), now + GRACE, presence)
    call('HSET', key('gone'), presence, left_message)
  else
    call('PUBLISH', channel, left_message)
  end
end
