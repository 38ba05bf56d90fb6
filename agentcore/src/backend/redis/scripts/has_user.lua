
-- ARGV[6]: user. Returns 1 when a live node has a connection of the user, otherwise 0.
for _, node in ipairs(nodes) do
  if node.live and call('HEXISTS', key('u:' .. node.lease), ARGV[6]) == 1 then return 1 end
end
return 0
