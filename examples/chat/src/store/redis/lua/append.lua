-- KEYS: the room, its messages. ARGV: deadline, a new id, the message without its id, how many messages are kept.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return redis.error_reply('NOROOM there is no such room')
end
local id = ARGV[2]
-- Members have one score, so they are in the order of their bytes: that of the ids they begin with.
local last = redis.call('ZRANGE', KEYS[2], -1, -1)[1]
if last and string.sub(last, 1, 36) >= id then
    -- Another node's clock is ahead of the one that made the id. The next id is one more: behind the last digit that can
    -- grow all are `f`, and become 0.
    local head, digit, tail = string.match(string.sub(last, 1, 36), '^(.*)([0-9a-e])([f-]*)$')
    id = head .. string.format('%x', tonumber(digit, 16) + 1) .. string.gsub(tail, 'f', '0')
end
redis.call('ZADD', KEYS[2], 0, id .. ' ' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[4])
return id
