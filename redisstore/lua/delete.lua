-- KEYS record, index  ARGV mark
local h = head(KEYS[1])
call('UNLINK', KEYS[1])
if h and not h.damaged and h.user ~= '' then
	redis.pcall('ZREM', KEYS[2], KEYS[1]:sub(-32) .. h.handle) -- ended is ended, whatever became of the index
end
mark(KEYS[1], ARGV[1])
return answer('K')
