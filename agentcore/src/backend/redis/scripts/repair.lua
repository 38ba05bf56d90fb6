-- The first part of the scripts that remove keys of a wrong type.
local removed = {}

-- Removes a key when the command that reads it fails because of its type.
local function check(key, command, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true) then
    redis.call('UNLINK', key)
    removed[#removed + 1] = key
  end
end
