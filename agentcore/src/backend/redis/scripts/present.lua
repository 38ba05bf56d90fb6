
-- ARGV[6..]: channels of groups. Answers with a number for each.
local counts = {}
if not state.epoch then
  for at = 6, #ARGV do counts[at - 5] = 0 end
  return counts
end
for at, number in ipairs(call('HMGET', key('pc'), unpack(ARGV, 6))) do counts[at] = number and tonumber(number) or 0 end
return counts
