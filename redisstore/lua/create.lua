-- KEYS record, index, guard  ARGV fixed, rest, user, max, evict, age, revocation that the sign-in knows of
local k, u = KEYS[1], KEYS[2]
local r = given(ARGV[1])
local user = ARGV[3]
local id = k:sub(-32)

local revoked = user ~= '' and tonumber(call('GET', KEYS[3])) or 0
local function admitted(evicted) return answer('K', struct.pack('>I8', revoked) .. evicted) end

local old = head(k)
if old and old.damaged then return answer('X', old.damaged) end
if old and old.live then
	if old.ver == 1 and old.writer == r.writer then return admitted('') end
	return answer('E')
end
local age = tonumber(ARGV[6])
if age > 0 and revoked >= now - age and revoked > tonumber(ARGV[7]) then return answer('R') end
r.created, r.seen = past(r.created), past(r.seen)
r.exp = expiry(r.created, r.seen, r.idle, r.life)
local lifeless = r.exp <= now -- it never lives, so nobody has to go for it

local evicted = {}
if user ~= '' then
	local base = k:sub(1, -33)
	-- dead tells whether a member of the index stands for no live record. One of another user with the same tag is left alone.
	local function dead(m)
		local h = head(base .. m:sub(1, 32))
		if not h or not h.damaged and (not h.live or h.handle ~= m:sub(33)) then return true end
		return false, h.user == user
	end
	local max = tonumber(ARGV[4])
	if max > 0 and call('ZCARD', u) >= max then
		local live, gone = {}, {}
		for _, m in ipairs(call('ZRANGE', u, 0, -1)) do -- the oldest first
			local d, mine = dead(m)
			if d then
				gone[#gone + 1] = m
			elseif mine then
				live[#live + 1] = m
			end
		end
		if #live >= max and ARGV[5] ~= '1' then return answer('L') end
		if lifeless then return admitted('') end
		for i = 1, #live - max + 1 do
			call('UNLINK', base .. live[i]:sub(1, 32))
			gone[#gone + 1] = live[i]
			evicted[i] = live[i]:sub(33)
		end
		for _, m in ipairs(gone) do call('ZREM', u, m) end
	else
		-- Without a limit nobody counts, so some members are looked at each time: the index stays within a small multiple of
		-- what lives.
		for _, m in ipairs(call('ZRANDMEMBER', u, 3)) do
			if dead(m) then call('ZREM', u, m) end
		end
	end
end
if lifeless then return admitted('') end
put(k, 1, r, r.fixed .. ARGV[2])
if user ~= '' then enter(u, id .. r.fixed:sub(1, 16), r) end
return admitted(table.concat(evicted))
