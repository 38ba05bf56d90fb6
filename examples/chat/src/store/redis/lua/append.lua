-- KEYS: the room, its messages. ARGV: the deadline, a new id, the message without its id, the number of messages to
-- keep. Returns the id of the stored message.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return redis.error_reply('NOROOM there is no such room')
end
local id = ARGV[2]
-- All members have the same score, so they sort by their bytes, which start with the id.
local last = redis.call('ZRANGE', KEYS[2], -1, -1)[1]
if last and string.sub(last, 1, 36) >= id then
    -- The clock of the node that stored the last message is ahead. The id becomes the last id plus one: the last digit
    -- below `f` grows by one, and the digits `f` after it become 0.
    local head, digit, tail = string.match(string.sub(last, 1, 36), '^(.*)([0-9a-e])([f-]*)$')
    id = head .. string.format('%x', tonumber(digit, 16) + 1) .. string.gsub(tail, 'f', '0')
end
redis.call('ZADD', KEYS[2], 0, id .. ' ' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[4])
return id
