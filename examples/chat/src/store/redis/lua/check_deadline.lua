-- Begins every script that writes. ARGV[1]: the time until which somebody waits for the outcome, in milliseconds of this
-- server's clock. A server that was held up must not store what its caller has given up since.
local now = redis.call('TIME')
if now[1] * 1000 + math.floor(now[2] / 1000) > tonumber(ARGV[1]) then
    return redis.error_reply('LATE nobody waits for this any more')
end
