-- KEYS: the messages of a room. ARGV: the number of messages, their size in bytes, the size of each besides its member.
-- Returns the latest messages that fit, newest first.
local limit, size, overhead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local fitting = {}
while #fitting < limit do
    -- In portions, so that a small page does not read the whole room.
    local last = -1 - #fitting
    local first = math.max(last - 49, -limit)
    local portion = redis.call('ZRANGE', KEYS[1], first, last)
    if #portion == 0 then
        break
    end
    for at = #portion, 1, -1 do
        size = size - #portion[at] - overhead
        if size < 0 then
            return fitting
        end
        fitting[#fitting + 1] = portion[at]
    end
end
return fitting
