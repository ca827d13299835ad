-- KEYS old record, new record, index  ARGV fixed, rest, user, version, tail's fixed or '', tail's rest, mark
local o, n, u = KEYS[1], KEYS[2], KEYS[3]
local r = given(ARGV[1])
local user, version = ARGV[3], tonumber(ARGV[4])

local to = head(n)
if to and to.damaged then return answer('X', to.damaged) end
mark(o, ARGV[7])
if to and to.live and to.ver == version + 1 and to.writer == r.writer then return answer('K') end
local from = head(o)
if not from then return answer('N') end
if from.damaged then return answer('X', from.damaged) end
if not from.live then return answer('N') end
if from.ver ~= version then return answer('C') end
if from.user ~= user then return answer('I') end
if to and to.live then return answer('E') end

r.created, r.seen = past(r.created), past(r.seen)
r.exp = expiry(r.created, r.seen, r.idle, r.life)
if user ~= '' then call('ZREM', u, o:sub(-32) .. from.handle) end
if r.exp > now then
	put(n, version + 1, r, r.fixed .. ARGV[2])
	if user ~= '' then enter(u, n:sub(-32) .. r.fixed:sub(1, 16), r) end
end
if ARGV[5] ~= '' then
	local t = given(ARGV[5])
	t.created, t.seen = past(t.created), past(t.seen)
	t.exp = expiry(t.created, t.seen, t.idle, t.life)
	if t.exp > now then
		put(o, version + 1, t, t.fixed .. ARGV[6])
		return answer('K')
	end
end
call('UNLINK', o)
return answer('K')
