-- How the scripts begin that most requests run: update and touch. They do without functions and
-- tables, which take Redis more time than the commands do; shared.lua says the same in plainer
-- words. After this the record at KEYS[1] is live.
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local NEVER = 9007199254740991
local k, u = KEYS[1], KEYS[2]
local clock = call('TIME')
local now = clock[1] * 1000 + (clock[2] - clock[2] % 1000) / 1000
local stamp = pack('>I8', now)

local b = call('GETRANGE', k, 0, 322)
if b == '' then return 'N' .. stamp end
local users = #b >= 68 and b:byte(66) -- length of the user
if b:byte() ~= 1 or not users or #b < 68 + users then
	return 'X' .. stamp .. (b:byte() == 1 and #b >= 65 and b:sub(50, 65) or '')
end
local _, ver, created, seen, idle, life = unpack('>BI8xxxxxxxxi8i8i8i8', b)
local exp = NEVER
if idle > 0 then exp = seen + idle end
if life > 0 and created + life < exp then exp = created + life end
if exp <= now then return 'N' .. stamp end
