
-- ARGV[6..12]: lease, node name, incarnation, connections, groups, number of this join attempt, previous epoch.
-- Returns the view, or false when a later attempt of the same incarnation came first.
local lease, attempt, previous_epoch = ARGV[6], tonumber(ARGV[11]), ARGV[12]

-- This attempt was delayed on a connection that the node has given up: its data is old.
for _, node in ipairs(nodes) do
  if node.incarnation == ARGV[8] and node.attempt > attempt then return false end
end
if state.epoch and not is_complete() then discard_epoch() end
if not state.epoch then
  local unsure = (state.lost or previous_epoch ~= '') and now + LEASE or 0
  state = { epoch = lease, begun = now, run = RUN, unsure = unsure, stamp = now, grace = 0 }
  nodes, node_of = {}, {}
  call('DEL', STATE)
  call('HSET', STATE, 'epoch', lease, 'begun', now, 'run', RUN, 'unsure', unsure, 'stamp', now, 'grace', 0)
  for _, name in ipairs(SHARED) do
    if name == 'due' then call('ZADD', key(name), '+inf', MARKER) else call('HSET', key(name), MARKER, '') end
  end
elseif previous_epoch ~= '' and previous_epoch ~= state.epoch and state.begun + LEASE > state.unsure then
  -- The node that began this epoch did not know of the loss.
  state.unsure = state.begun + LEASE
  call('HSET', STATE, 'unsure', state.unsure)
end

local node = node_of[lease]
if not node then
  node = { lease = lease }
  nodes[#nodes + 1] = node
  node_of[lease] = node
end
node.name, node.incarnation = ARGV[7], ARGV[8]
node.connections, node.groups, node.attempt = tonumber(ARGV[9]), tonumber(ARGV[10]), attempt
-- The new lease counts all that the incarnation has; its older leases count nothing until they are removed.
for _, other in ipairs(nodes) do
  if other ~= node and other.incarnation == node.incarnation and (other.connections > 0 or other.groups > 0) then
    other.connections, other.groups = 0, 0
    save(other)
  end
end
for _, name in ipairs(own_keys(lease)) do call('HSET', name, MARKER, '') end
renew(node)
return view()
