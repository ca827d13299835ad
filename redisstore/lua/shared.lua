-- What the scripts share. Times are whole milliseconds; a record ends at exp, when it is not live
-- any more. Keys of members and the record's own key have one hash tag, so all of them lie in one
-- slot.
local call = redis.call
local NEVER = 9007199254740991 -- 2^53-1: exact in a double
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function answer(code, rest)
	return code .. struct.pack('>I8', now) .. (rest or '')
end

local function expiry(created, seen, idle, life)
	local exp = NEVER
	if idle > 0 then exp = seen + idle end
	if life > 0 and created + life < exp then exp = created + life end
	return exp
end

-- head reads what stands before a record's meta and data. It gives nil where there is no record;
-- where it is damaged, damaged holds the handle or ''.
local function head(k)
	local b = redis.pcall('GETRANGE', k, 0, 322)
	if type(b) ~= 'string' then return { damaged = '' } end
	if b == '' then return nil end
	if #b < 68 or b:byte() ~= 1 or #b < 68 + b:byte(66) then
		return { damaged = b:byte() == 1 and #b >= 65 and b:sub(50, 65) or '' }
	end
	local h, _ = {}, nil
	_, h.ver, h.writer, h.created, h.seen, h.idle, h.life, h.handle = struct.unpack('>BI8c8i8i8i8i8c16', b)
	h.user = b:sub(69, 68 + b:byte(66))
	h.exp = expiry(h.created, h.seen, h.idle, h.life)
	h.live = h.exp > now
	return h
end

-- given reads the fixed part of a record that the client hands in.
local function given(fixed)
	local r = {}
	r.writer, r.created, r.seen, r.idle, r.life = struct.unpack('>c8i8i8i8i8', fixed)
	r.fixed = fixed:sub(41)
	return r
end

-- past gives a client's instant in this clock: never later than now. One that asks for now is
-- NEVER.
local function past(t) return math.min(t, now) end

-- put stores a record that lives. Redis shows a key during the millisecond of its TTL as well, so
-- that is one earlier.
local function put(k, ver, r, rest)
	local v = struct.pack('>BI8c8i8i8i8i8', 1, ver, r.writer, r.created, r.seen, r.idle, r.life) .. rest
	if r.exp >= NEVER then
		call('SET', k, v)
	else
		call('SET', k, v, 'PXAT', r.exp - 1)
	end
end

-- keep lets the user's index u live as long as r may: to the end of its lifetime, which only an
-- update moves; or without one to its present end, which each touch moves. Without a TTL the index
-- lives for ever, and GT leaves that alone.
local function keep(u, r, new)
	if r.life == 0 and r.idle == 0 then
		call('PERSIST', u)
		return
	end
	local exp = r.life > 0 and r.created + r.life or r.exp
	if new then
		call('PEXPIREAT', u, exp)
	else
		call('PEXPIREAT', u, exp, 'GT')
	end
end

-- enter adds a record to the index. A set that was empty is a new key, without TTL.
local function enter(u, member, r)
	local new = call('EXISTS', u) == 0
	call('ZADD', u, r.created, member)
	keep(u, r, new)
end

-- mark writes something, so that a WAIT that follows waits for what earlier tries of the same call
-- wrote, too.
local function mark(k, wanted)
	if wanted == '1' then call('SET', k:match('^[^}]*}') .. ':w', '', 'PX', 1000) end
end
