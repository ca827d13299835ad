-- Files anew what was prolonged since it was filed.
UPDATE sojourn s SET slot = exp DIV {slot} WHERE (s.tag, s.id) IN (:keys) AND exp + 0 > {now}
