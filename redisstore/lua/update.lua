-- KEYS record, index  ARGV fixed, rest (meta and data), version, tight
local k, u = KEYS[1], KEYS[2]
local r = given(ARGV[1])
local version = tonumber(ARGV[3])

local h = head(k)
if not h then return answer('N') end
if h.damaged then return answer('X', h.damaged) end
if not h.live then return answer('N') end
if h.ver == version + 1 and h.writer == r.writer then return answer('K') end
if h.ver ~= version then return answer('C') end
r.created, r.seen = h.created, math.max(h.seen, past(r.seen))
r.exp = expiry(r.created, r.seen, r.idle, r.life)
if r.exp <= now then
	call('UNLINK', k)
	if h.user ~= '' then call('ZREM', u, k:sub(-32) .. h.handle) end
	return answer('K')
end
local rest = h.handle .. struct.pack('>B', #h.user) .. r.fixed:sub(18, 19) .. h.user .. ARGV[2]
if ARGV[4] == '1' and #rest + 49 > call('STRLEN', k) then return answer('F') end -- memory is full, and this needs more
put(k, version + 1, r, rest)
if h.user ~= '' then keep(u, r.exp) end
return answer('K')
