
-- ARGV[6..]: groups. Returns the number of members of each on all live nodes.
local counts = {}
for index = 6, #ARGV do counts[index - 5] = 0 end
for _, node in ipairs(nodes) do
  if node.live then
    local found = call('HMGET', key('g:' .. node.lease), unpack(ARGV, 6))
    for index, number in ipairs(found) do counts[index] = counts[index] + (number and tonumber(number) or 0) end
  end
end
return counts
