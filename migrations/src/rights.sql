-- The service's role may execute the functions that answer requests, and nothing else.
do $$
declare
  room record;
  door record;
begin
  -- A function made from now on is nobody's until it is granted.
  alter default privileges revoke execute on functions from public;

  for room in
    select nspname as name
    from pg_catalog.pg_namespace
    where nspowner = 'imaging_owner'::pg_catalog.regrole
  loop
    execute format('revoke all on schema %I from public, imaging_service', room.name);
    execute format('revoke all on all tables in schema %I from public, imaging_service', room.name);
    execute format('revoke all on all sequences in schema %I from public, imaging_service', room.name);
    execute format('revoke all on all routines in schema %I from public, imaging_service', room.name);
  end loop;

  for door in
    select p.oid::pg_catalog.regprocedure as signature, n.nspname as room
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspowner = 'imaging_owner'::pg_catalog.regrole
      and n.nspname not in ('imaging', 'imaging_migrations')
      and p.proowner = 'imaging_owner'::pg_catalog.regrole
      and p.prokind = 'f'
      and not p.proretset
      and p.prorettype = 'pg_catalog.jsonb'::pg_catalog.regtype
      and p.pronargs = 2
      and p.proargtypes[0] = 'pg_catalog.jsonb'::pg_catalog.regtype
      and p.proargtypes[1] = 'pg_catalog.jsonb'::pg_catalog.regtype
  loop
    execute format('grant usage on schema %I to imaging_service', door.room);
    execute format('grant execute on function %s to imaging_service', door.signature);
  end loop;
end
$$;
