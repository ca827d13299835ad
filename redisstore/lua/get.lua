-- KEYS record
local v = call('GET', KEYS[1])
if not v then return answer('N') end
return answer('K', v)
