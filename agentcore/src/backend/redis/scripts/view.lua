
-- Renews a node's lease. Renews the expiry of keys only when a quarter of the shorter expiry has passed, so that an
-- idle node costs next to nothing.
local function renew(node)
  node.expiry, node.live = now + LEASE, true
  state.stamp = now
  call('HSET', STATE, 'stamp', now, field_of(node), value_of(node))
  local remaining = call('PTTL', key('u:' .. node.lease))
  if remaining >= 0 and REGISTRY - remaining < math.min(REGISTRY, PRESENCE) / 4 then return end
  local lease = node.lease
  for _, name in ipairs({ STATE, key('online'), key('u:' .. lease), key('i:' .. lease), key('g:' .. lease) }) do
    call('PEXPIRE', name, REGISTRY)
  end
  for _, name in ipairs({ key('pn'), key('pc'), key('due'), key('gone'), key('p:' .. lease) }) do
    call('PEXPIRE', name, PRESENCE)
  end
end

-- Returns the milliseconds until the next grace period ends, or -1 when there is none.
local function next_leave()
  local first = call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
  if not first[1] or first[1] == MARKER then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end

local function view()
  local live, expired, groups = {}, {}, 0
  for _, node in ipairs(nodes) do
    local peer = { node.lease, node.name, node.incarnation, node.connections, node.expiry }
    if node.live then
      live[#live + 1] = peer
      groups = groups + node.groups
    else
      expired[#expired + 1] = peer
    end
  end
  local uncertain = state.unsure > now and state.unsure - now or -1
  return { state.epoch, live, expired, groups, uncertain, next_leave() }
end
