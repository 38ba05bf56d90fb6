
-- Returns the number of users with a connection. The marker is not counted.
if not state.epoch then return 0 end
return math.max(0, call('HLEN', key('online')) - 1)
