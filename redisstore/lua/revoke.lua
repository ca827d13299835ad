-- KEYS index, guard  ARGV user, kind (all, only or except), handles, how long the guard is kept, mark
local u, g = KEYS[1], KEYS[2]
local user, kind, only = ARGV[1], ARGV[2], ARGV[2] == 'only'
local named = {}
for i = 1, #ARGV[3], 16 do named[ARGV[3]:sub(i, i + 15)] = true end

local members = call('ZRANGE', u, 0, -1)
local at = 0
if not only then
	-- Each revocation has an instant of its own: whoever knows of one knows of no later one.
	at = math.max(now, tonumber(call('GET', g) or '0') + 1)
	call('SET', g, string.format('%.0f', at), 'PX', ARGV[4])
end
mark(u, ARGV[5])
local base, ended = u:sub(1, -2) .. 's:', 0
for _, m in ipairs(members) do
	if kind == 'all' or (named[m:sub(33)] or false) == only then
		local k = base .. m:sub(1, 32)
		local h = head(k)
		if not h then
			call('ZREM', u, m)
		elseif h.damaged then
			if not only then
				call('UNLINK', k)
				call('ZREM', u, m)
			end
		elseif not h.live or h.handle ~= m:sub(33) then
			call('ZREM', u, m)
		elseif h.user == user then
			call('UNLINK', k)
			call('ZREM', u, m)
			ended = ended + 1
		end
	end
end
return answer('K', struct.pack('>I8I8', ended, at))
