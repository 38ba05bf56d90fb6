
-- KEYS: one for each quota. ARGV: the rule of each. Returns the names of the removed keys.
for number, key in ipairs(KEYS) do
  if ARGV[number] == 's' then check(key, 'LINDEX', '0') else check(key, 'GET') end
end
return removed
