
-- Renews a node, and what must not expire while it lives: that only when a quarter of its time is over, so that a node
-- which does nothing costs next to nothing.
local function renewed(node)
  node.expiry, node.live = now + LEASE, true
  state.stamp = now
  call('HSET', STATE, 'stamp', now, field_of(node), value_of(node))
  local left = call('PTTL', key('u:' .. node.lease))
  if left >= 0 and REGISTRY - left < math.min(REGISTRY, PRESENCE) / 4 then return end
  for _, name in ipairs({ STATE, key('online'), key('u:' .. node.lease), key('i:' .. node.lease), key('g:' .. node.lease) }) do
    call('PEXPIRE', name, REGISTRY)
  end
  for _, name in ipairs({ key('pn'), key('pc'), key('due'), key('gone'), key('p:' .. node.lease) }) do
    call('PEXPIRE', name, PRESENCE)
  end
end

-- How soon a grace is over, in milliseconds; -1: there is none.
local function next_left()
  local first = call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
  if not first[1] or first[1] == MARKER then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end

local function view()
  local live, ended, groups = {}, {}, 0
  for _, node in ipairs(nodes) do
    local peer = { node.lease, node.name, node.origin, node.places }
    if node.live then
      live[#live + 1] = peer
      groups = groups + node.groups
    else
      ended[#ended + 1] = peer
    end
  end
  local unsure = state.unsure > now and state.unsure - now or -1
  return { state.epoch, live, ended, groups, unsure, next_left() }
end
