-- audit.seal: seal the events that no earlier one can join any more; answers the batches that storage does not have yet.
-- A batch holds the events of the transactions from one number up to another. All that began before the oldest one that
-- still runs have ended, so what they wrote is there: no event comes late. One that is empty is none.
create or replace function audit.seal(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    last imaging.audit_batches;
    batch imaging.audit_batches;
    beyond bigint;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    -- Of two at once, one does it.
    if not pg_try_advisory_xact_lock(hashtextextended('audit.seal', 0)) then
        return imaging.done('{"events": 0, "more": false, "unpublished": []}');
    end if;
    select * into last from imaging.audit_batches order by number desc limit 1;
    batch.number := coalesce(last.number, 0) + 1;
    batch.starts := coalesce(last.ends, 0);
    batch.shift := coalesce(last.shift, 0);
    batch.ends := pg_snapshot_xmin(pg_current_snapshot())::text::bigint + batch.shift;
    if batch.ends < batch.starts then
        perform audit.catch_up(last);
        return imaging.done(jsonb_build_object('events', 0, 'more', true, 'unpublished', '[]'::jsonb));
    end if;

    select e.transaction into beyond
      from imaging.audit_events e
     where e.transaction >= batch.starts and e.transaction < batch.ends
     order by e.transaction
    offset (ask->>'most')::integer limit 1;
    if found then
        -- What one transaction wrote is sealed together, however much it is.
        batch.ends := greatest(beyond, 1 + (
            select min(e.transaction) from imaging.audit_events e where e.transaction >= batch.starts));
    end if;

    batch.previous := coalesce(last.hash, repeat('0', 64));
    select sealed.events, sealed.hash into batch.events, batch.hash
      from audit.hash_of(batch.number, batch.starts, batch.ends, batch.previous) as sealed;
    if batch.events > 0 then
        batch.sealed_at := imaging.clock();
        insert into imaging.audit_batches (number, starts, ends, events, previous, hash, shift, sealed_at)
        values (
            batch.number, batch.starts, batch.ends, batch.events, batch.previous, batch.hash, batch.shift,
            batch.sealed_at);
    end if;
    return imaging.done(jsonb_build_object(
        'events', batch.events,
        'more', beyond is not null,
        'unpublished', audit.unpublished((ask->>'publish')::integer)));
end
$$;

-- audit.catch_up: a dump was restored into a cluster that has counted fewer transactions than are sealed: from now on
-- the difference is added. Whoever is writing an event at this moment has the number from before, and is waited for.
create or replace function audit.catch_up(last imaging.audit_batches) returns void
language plpgsql volatile
as $$
begin
    -- Everybody else waits behind this.
    perform set_config('lock_timeout', '2s', true);
    lock table imaging.audit_events in share row exclusive mode;
    update imaging.audit_batches
       set shift = last.ends - pg_snapshot_xmin(pg_current_snapshot())::text::bigint
     where number = last.number;
end
$$;

-- audit.unpublished: the oldest batches that storage does not have, as it is to have them
create or replace function audit.unpublished(most integer) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(
                jsonb_build_object('number', b.number, 'blob', audit.blob_of(b), 'text', audit.published(b))
                order by b.number), '[]')
      from (select * from imaging.audit_batches
             where published_at is null
             order by number
             limit most) as b
$$;

-- audit.publish: storage has these batches now
create or replace function audit.publish(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    update imaging.audit_batches
       set published_at = imaging.clock()
     where number in (select jsonb_array_elements_text(ask->'numbers')::bigint) and published_at is null;
    return imaging.done(null);
end
$$;
