-- The start of every script that writes. ARGV[1]: the caller's deadline, in milliseconds of this server's clock. A
-- server that was blocked must not store data whose caller has already reported an error.
local now = redis.call('TIME')
if now[1] * 1000 + math.floor(now[2] / 1000) > tonumber(ARGV[1]) then
    return redis.error_reply('LATE the deadline has passed')
end
