-- KEYS: the room, its admitted users. ARGV: the deadline, the user.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return redis.error_reply('NOROOM there is no such room')
end
return redis.call('SADD', KEYS[2], ARGV[2])
