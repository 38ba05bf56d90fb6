
-- KEYS[1]: prefix of all keys. Returns the names of the removed keys.
local STATE = KEYS[1] .. ':state'
check(STATE, 'HLEN')
if #removed > 0 then return removed end
local epoch = redis.call('HGET', STATE, 'epoch')
if not epoch then return removed end
local prefix = KEYS[1] .. ':' .. epoch .. ':'
for _, name in ipairs({ 'online', 'pn', 'pc', 'gone' }) do check(prefix .. name, 'HLEN') end
check(prefix .. 'due', 'ZRANGE', '0', '0')
for _, field in ipairs(redis.call('HGETALL', STATE)) do
  local lease = string.match(field, '^n(%d+)$')
  if lease then
    for _, name in ipairs({ 'u:', 'i:', 'g:', 'p:' }) do check(prefix .. name .. lease, 'HLEN') end
  end
end
return removed
