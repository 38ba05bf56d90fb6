-- KEYS: the room, its admitted users. ARGV: the deadline, created_by, is_public, created_at.
-- Returns the fields of the existing room of this name, or nothing if the room is new.
local found = redis.call('HMGET', KEYS[1], 'created_by', 'is_public', 'created_at')
if found[1] then
    return found
end
redis.call('HSET', KEYS[1], 'created_by', ARGV[2], 'is_public', ARGV[3], 'created_at', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[2])
return false
