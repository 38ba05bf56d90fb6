
-- How many have a place; the marker is none.
if not state.epoch then return 0 end
return math.max(0, call('HLEN', key('online')) - 1)
