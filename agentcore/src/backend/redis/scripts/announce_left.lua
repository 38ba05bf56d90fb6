
-- Answers in how many milliseconds the next one is due; -1: none is.
if not state.epoch then return -1 end
if not whole() then
  lose()
  return -1
end
local due, gone = key('due'), key('gone')
local over = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 500)
for _, presence in ipairs(over) do
  call('ZREM', due, presence)
  local left = call('HGET', gone, presence)
  call('HDEL', gone, presence)
  if left then call('PUBLISH', channel_of(presence), left) end
end
return next_left()
