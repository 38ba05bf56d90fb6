
-- ARGV[6..]: channels of groups. Returns the number of present users of each.
local counts = {}
if not state.epoch then
  for index = 6, #ARGV do counts[index - 5] = 0 end
  return counts
end
for index, number in ipairs(call('HMGET', key('pc'), unpack(ARGV, 6))) do
  counts[index] = number and tonumber(number) or 0
end
return counts
