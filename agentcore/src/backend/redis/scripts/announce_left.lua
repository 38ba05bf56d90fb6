
-- Publishes the leave messages of up to 500 grace periods that are over.
-- Returns the milliseconds until the next one ends (0: more are over already), or -1 when there is none.
if not state.epoch then return -1 end
if not is_complete() then
  discard_epoch()
  return -1
end
local due, gone = key('due'), key('gone')
local over = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 500)
for _, presence in ipairs(over) do
  call('ZREM', due, presence)
  local left_message = call('HGET', gone, presence)
  call('HDEL', gone, presence)
  if left_message then call('PUBLISH', channel_of(presence), left_message) end
end
return next_leave()
