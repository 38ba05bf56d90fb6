-- KEYS: the room, whom it admits. ARGV: deadline, created_by, is_public, created_at.
-- Returns the room that has this name already; nothing if it is new.
local found = redis.call('HMGET', KEYS[1], 'created_by', 'is_public', 'created_at')
if found[1] then
    return found
end
redis.call('HSET', KEYS[1], 'created_by', ARGV[2], 'is_public', ARGV[3], 'created_at', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[2])
return false
