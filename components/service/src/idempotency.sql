-- idempotency.once: act once for a key of a caller. Within a day, the same key and request are answered what they were
-- answered at first; a request that is refused uses no key.
create or replace function idempotency.once(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    claimed imaging.idempotency_keys;
    answered jsonb;
begin
    perform imaging.enter(cx);
    -- A second with the same key waits here until the first has committed; then it sees what became of that.
    insert into imaging.idempotency_keys as known (organization, actor, key, fingerprint, created_at)
    values (cx->>'organization', cx->>'actor', ask->>'key', ask->'fingerprints'->>0, imaging.clock())
    on conflict (organization, actor, key) do update
       set fingerprint = excluded.fingerprint, answer = null, created_at = excluded.created_at
     where known.created_at <= excluded.created_at - interval '1 day'
    returning * into claimed;
    if not found then
        select * into claimed from imaging.idempotency_keys
         where organization = cx->>'organization' and actor = cx->>'actor' and key = ask->>'key';
        if not ask->'fingerprints' ? claimed.fingerprint then
            return imaging.refuse('key_reused');
        end if;
        perform audit.append(
            cx, 'request.replay', 'request', null, null,
            audit.patients_of(claimed.organization, array[(claimed.answer->'done'->>'id')::uuid]));
        return claimed.answer;
    end if;

    execute idempotency.call_of(ask->>'function') into answered using cx, ask->'ask';

    if answered ? 'done' then
        update imaging.idempotency_keys set answer = answered
         where organization = claimed.organization and actor = claimed.actor and key = claimed.key;
    else
        delete from imaging.idempotency_keys
         where organization = claimed.organization and actor = claimed.actor and key = claimed.key;
    end if;
    perform idempotency.forget(cx);
    return answered;
end
$$;

-- idempotency.call_of: the statement that calls a function by its name, if the service may call it itself
create or replace function idempotency.call_of(function text) returns text
language plpgsql stable
as $$
declare
    named regprocedure := to_regprocedure(function || '(jsonb, jsonb)');
begin
    if not exists (
        select from pg_proc p
         where p.oid = named and p.proowner = current_user::regrole and p.prorettype = 'jsonb'::regtype
           and p.prokind = 'f' and not p.proretset and has_function_privilege('imaging_service', p.oid, 'execute')
           and p.oid <> 'idempotency.once(jsonb, jsonb)'::regprocedure
    ) then
        raise exception 'not a function that the service calls';
    end if;
    return format('select %s($1, $2)', named::regproc);
end
$$;

-- idempotency.forget: a few of the answers that are older than a day; more than one a call, so that they become fewer
create or replace function idempotency.forget(cx jsonb) returns void
language sql volatile
as $$
    delete from imaging.idempotency_keys
     where organization = cx->>'organization' and (actor, key) in (
        select actor, key from imaging.idempotency_keys
         where organization = cx->>'organization' and created_at <= imaging.clock() - interval '1 day'
         order by created_at limit 20 for update skip locked)
$$;

-- idempotency.forget_all: the same for every organization, also those that use no more keys. Answers whether there may be
-- more.
create or replace function idempotency.forget_all(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    forgotten integer;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    delete from imaging.idempotency_keys
     where (organization, actor, key) in (
        select organization, actor, key from imaging.idempotency_keys
         where created_at <= imaging.clock() - interval '1 day'
         order by created_at limit (ask->>'most')::integer for update skip locked);
    get diagnostics forgotten = row_count;
    return imaging.done(jsonb_build_object('more', forgotten = (ask->>'most')::integer));
end
$$;
