-- KEYS record, index  ARGV every
local k, u = KEYS[1], KEYS[2]
local h = head(k)
if not h then return answer('N') end
if h.damaged then return answer('X', h.damaged) end
if not h.live then return answer('N') end
if now - h.seen < tonumber(ARGV[1]) or now <= h.seen then return answer('K') end
call('SETRANGE', k, 25, struct.pack('>i8', now))
if h.idle > 0 then
	local exp = expiry(h.created, now, h.idle, h.life)
	call('PEXPIREAT', k, exp - 1)
	if h.user ~= '' then keep(u, exp) end
end
return answer('K')
