-- Tries every command that the other scripts call, except PUBLISH, which needs a channel.
--
-- KEYS[1]: a key that nothing else uses.
-- Returns the first command that the server refuses, and the reason; false when there is none.
local key = KEYS[1]
local commands = {
  { 'TIME' }, { 'DEL', key }, { 'EXISTS', key },
  { 'HSET', key, 'a', '1' }, { 'HINCRBY', key, 'a', '1' }, { 'HGET', key, 'a' }, { 'HMGET', key, 'a' },
  { 'HGETALL', key }, { 'HLEN', key }, { 'HEXISTS', key, 'a' }, { 'HSCAN', key, '0' }, { 'PEXPIRE', key, '10000' }, { 'PTTL', key },
  { 'HDEL', key, 'a' },
  { 'ZADD', key, '0', 'a' }, { 'ZRANGE', key, '0', '0' }, { 'ZRANGEBYSCORE', key, '0', '1' }, { 'ZREM', key, 'a' },
  { 'RPUSH', key, 'a' }, { 'LSET', key, '0', 'b' }, { 'LINDEX', key, '0' }, { 'LRANGE', key, '0', '0' },
  { 'LTRIM', key, '0', '-1' }, { 'UNLINK', key },
  { 'SET', key, 'a', 'PX', '10000' }, { 'GET', key }, { 'DEL', key },
}
for _, command in ipairs(commands) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then
    redis.pcall('DEL', key)
    return { command[1], reply.err }
  end
end
return false
