-- KEYS record, index  ARGV every
if now - seen < tonumber(ARGV[1]) or now <= seen then return 'K' .. stamp end
call('SETRANGE', k, 25, pack('>i8', now))
if idle > 0 then
	exp = now + idle
	if life > 0 and created + life < exp then exp = created + life end
	call('PEXPIREAT', k, exp - 1)
	if users > 0 and life == 0 then call('PEXPIREAT', u, exp, 'GT') end
end
return 'K' .. stamp
