
-- ARGV[6..7]: lease, epoch.
local node = writer(ARGV[6], ARGV[7])
if not node then return false end
also_when_full()
renewed(node)
return view()
