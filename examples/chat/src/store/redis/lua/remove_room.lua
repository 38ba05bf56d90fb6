-- KEYS: the room, its admitted users, its messages. ARGV: the deadline, created_at.
-- Returns 1 if the room was removed, 0 if it has messages or is another room of this name.
if redis.call('HGET', KEYS[1], 'created_at') ~= ARGV[2] or redis.call('EXISTS', KEYS[3]) == 1 then
    return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
