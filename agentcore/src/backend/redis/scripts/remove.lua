
-- ARGV[6..9]: lease, whether it is the caller's own, kind of entries to remove (`p` or `u`), scan cursor.
-- Returns the kind and cursor to continue with, or false when nothing is left to do.
local lease, is_own, kind, cursor = ARGV[6], ARGV[7] == '1', ARGV[8], ARGV[9]
local node = node_of[lease]
if not node or (node.live and not is_own) then return false end
if not is_complete(lease) then
  discard_epoch()
  return false
end
allow_writes_when_full()
if node.expiry > 0 then
  -- From here on the writer of this lease is fenced.
  node.expiry, node.live = 0, false
  save(node)
end

-- Removes some entries and calls `on_removed` for each. An entry is counted down in the step that deletes it, so two
-- nodes may remove the same lease at once.
local function remove_some(hash, on_removed)
  local found = call('HSCAN', hash, cursor, 'COUNT', 500)
  local entries = found[2]
  for index = 1, #entries, 2 do
    -- A scan may return an entry twice.
    if entries[index] ~= MARKER and call('HDEL', hash, entries[index]) == 1 then
      on_removed(entries[index], entries[index + 1])
    end
  end
  return found[1]
end

local hash = key(kind .. ':' .. lease)
if kind == 'p' then
  cursor = remove_some(hash, function(presence, left_message) leave(presence, left_message, false) end)
else
  cursor = remove_some(hash, function(user) decrement(key('online'), user) end)
end
if cursor ~= '0' or call('HLEN', hash) > 1 then return { kind, cursor } end
if kind == 'p' then return { 'u', '0' } end

if call('HLEN', key('p:' .. lease)) > 1 then return { 'p', '0' } end
call('UNLINK', unpack(own_keys(lease)))
call('HDEL', STATE, 'n' .. lease)
if #nodes == 1 then
  -- No node is left that could receive a leave message.
  call('UNLINK', STATE, unpack(shared_keys()))
end
return false
