-- KEYS index  ARGV user. Answers with ID, length and the bytes before the data of each record; of a damaged one, with its handle.
local u, user = KEYS[1], ARGV[1]
local base, list = u:sub(1, -2) .. 's:', {}
for _, m in ipairs(call('ZRANGE', u, 0, -1)) do
	local k = base .. m:sub(1, 32)
	local h = head(k)
	if h and h.damaged then
		list[#list + 1] = m:sub(1, 32) .. struct.pack('>I4', 16) .. m:sub(33)
	elseif h and h.live and h.handle == m:sub(33) and h.user == user then
		local b = call('GETRANGE', k, 0, 1346)
		local size = 68 + b:byte(66) + struct.unpack('>H', b, 67)
		list[#list + 1] = m:sub(1, 32) .. struct.pack('>I4', math.min(size, #b)) .. b:sub(1, size)
	end
end
return answer('K', table.concat(list))
