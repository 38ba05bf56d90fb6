
-- ARGV[6]: the user.
for _, node in ipairs(nodes) do
  if node.live and call('HEXISTS', key('u:' .. node.lease), ARGV[6]) == 1 then return 1 end
end
return 0
