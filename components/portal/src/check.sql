-- portal.check: the database answers, and the functions are there
create or replace function portal.check(cx jsonb, ask jsonb) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select imaging.done(jsonb_build_object('at', imaging.iso(imaging.clock()))) $$;
