
-- ARGV[6..9]: lease, whether it is the caller's, what is being removed, where. Answers where to go on; nothing: all is done.
local lease, own, what, cursor = ARGV[6], ARGV[7] == '1', ARGV[8], ARGV[9]
local node = node_of[lease]
if not node or (node.live and not own) then return false end
if not whole(lease) then
  lose()
  return false
end
also_when_full()
if node.expiry > 0 then
  -- From here on its writer is fenced.
  node.expiry, node.live = 0, false
  save(node)
end

-- Takes some entries out; each is counted down in the step that deletes it, so two may do this at once.
local function take_some(hash, each)
  local found = call('HSCAN', hash, cursor, 'COUNT', 500)
  local entries = found[2]
  for at = 1, #entries, 2 do
    -- A scan may come to an entry twice.
    if entries[at] ~= MARKER and call('HDEL', hash, entries[at]) == 1 then each(entries[at], entries[at + 1]) end
  end
  return found[1]
end

local hash = key(what .. ':' .. lease)
if what == 'p' then
  cursor = take_some(hash, function(presence, left) leaves(presence, left, false) end)
else
  cursor = take_some(hash, function(user) one_less(key('online'), user) end)
end
if cursor ~= '0' or call('HLEN', hash) > 1 then return { what, cursor } end
if what == 'p' then return { 'u', '0' } end

if call('HLEN', key('p:' .. lease)) > 1 then return { 'p', '0' } end
call('UNLINK', unpack(own_keys(lease)))
call('HDEL', STATE, 'n' .. lease)
if #nodes == 1 then
  -- The last one: nobody is there who would hear of a grace that ends.
  call('UNLINK', STATE, unpack(shared_keys()))
end
return false
