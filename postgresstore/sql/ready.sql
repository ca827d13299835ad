-- Reports whether the schema is there: 1 or 0.
SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('sojourn_look')
