-- KEYS record, index  ARGV fixed, rest (meta and data), version, tight
local fixed, version = ARGV[1], tonumber(ARGV[3])
local writer = fixed:sub(1, 8)
if ver == version + 1 and b:sub(10, 17) == writer then return 'K' .. stamp end
if ver ~= version then return 'C' .. stamp end

local _, given, newIdle, newLife = unpack('>i8i8i8i8', fixed, 9)
if given > now then given = now end -- NEVER asks for now
if given > seen then seen = given end
exp = NEVER
if newIdle > 0 then exp = seen + newIdle end
if newLife > 0 and created + newLife < exp then exp = created + newLife end
if exp <= now then
	call('UNLINK', k)
	if users > 0 then redis.pcall('ZREM', u, k:sub(-32) .. b:sub(50, 65)) end -- ended is ended, as in delete.lua
	return 'K' .. stamp
end

local v = pack('>BI8c8i8i8', 1, version + 1, writer, created, seen) .. fixed:sub(25, 40)
	.. b:sub(50, 66) .. fixed:sub(58, 59) .. b:sub(69, 68 + users) .. ARGV[2]
if ARGV[4] == '1' and #v > call('STRLEN', k) then return 'F' .. stamp end -- memory is full, and this needs more
if exp >= NEVER then
	call('SET', k, v)
else
	call('SET', k, v, 'PXAT', exp - 1)
end
if users > 0 and (newLife == 0 or newLife ~= life) then
	-- The index lives as long as the lifetime may last; see keep.
	if newLife > 0 then
		call('PEXPIREAT', u, created + newLife, 'GT')
	elseif newIdle > 0 then
		call('PEXPIREAT', u, exp, 'GT')
	else
		call('PERSIST', u)
	end
end
return 'K' .. stamp
