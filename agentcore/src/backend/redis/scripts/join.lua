
-- ARGV[6..12]: lease, node, origin, places, groups, which join of the node it is, epoch before.
local lease, join, before = ARGV[6], tonumber(ARGV[11]), ARGV[12]

-- Held up on a link that was given up: the node is there already, and what this one says is old.
for _, node in ipairs(nodes) do
  if node.origin == ARGV[8] and node.join > join then return false end
end
if state.epoch and not whole() then lose() end
if not state.epoch then
  local unsure = (state.lost or before ~= '') and now + LEASE or 0
  state = { epoch = lease, begun = now, run = RUN, unsure = unsure, stamp = now, grace = 0 }
  nodes, node_of = {}, {}
  call('DEL', STATE)
  call('HSET', STATE, 'epoch', lease, 'begun', now, 'run', RUN, 'unsure', unsure, 'stamp', now, 'grace', 0)
  for _, name in ipairs(SHARED) do
    if name == 'due' then call('ZADD', key(name), '+inf', MARKER) else call('HSET', key(name), MARKER, '') end
  end
elseif before ~= '' and before ~= state.epoch and state.begun + LEASE > state.unsure then
  -- Whoever began this epoch did not know of a loss.
  state.unsure = state.begun + LEASE
  call('HSET', STATE, 'unsure', state.unsure)
end

local node = node_of[lease]
if not node then
  node = { lease = lease }
  nodes[#nodes + 1] = node
  node_of[lease] = node
end
node.name, node.origin = ARGV[7], ARGV[8]
node.places, node.groups, node.join = tonumber(ARGV[9]), tonumber(ARGV[10]), join
-- What the same node had under another lease is what it has now, until that is removed.
for _, other in ipairs(nodes) do
  if other ~= node and other.origin == node.origin and (other.places > 0 or other.groups > 0) then
    other.places, other.groups = 0, 0
    save(other)
  end
end
for _, name in ipairs(own_keys(lease)) do call('HSET', name, MARKER, '') end
renewed(node)
return view()
