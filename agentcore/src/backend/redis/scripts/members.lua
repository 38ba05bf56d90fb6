
-- ARGV[6..]: groups. Answers with a number for each.
local counts = {}
for at = 6, #ARGV do counts[at - 5] = 0 end
for _, node in ipairs(nodes) do
  if node.live then
    local found = call('HMGET', key('g:' .. node.lease), unpack(ARGV, 6))
    for at, number in ipairs(found) do counts[at] = counts[at] + (number and tonumber(number) or 0) end
  end
end
return counts
