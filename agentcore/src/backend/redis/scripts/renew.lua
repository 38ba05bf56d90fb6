
-- ARGV[6..7]: lease, epoch. Returns the view, or false when the writer is fenced.
local node = writing_node(ARGV[6], ARGV[7])
if not node then return false end
allow_writes_when_full()
renew(node)
return view()
