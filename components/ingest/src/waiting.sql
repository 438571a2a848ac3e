-- ingest.waiting: the uploads that the sweep should see to, across organizations. Those that were received and not filed;
-- those that were offered in the last two hours, and of the older ones a few: in each case first the ones that were asked
-- about longest ago, so that none waits behind others that nothing comes for.
create or replace function ingest.waiting(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    received jsonb;
    recent jsonb;
    older jsonb;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    -- Nobody has taken it up yet; or whoever did ended in the midst of it: tried again, later each time.
    select coalesce(jsonb_agg(blob), '[]')
      into received
      from (select blob from imaging.uploads
             where status = 'RECEIVED'
               and (unreturned = 0
                    or updated_at < imaging.clock() - interval '1 second' * greatest(5, power(2, least(unreturned, 10))))
             order by updated_at
             limit (ask->>'received')::integer) as waiting;

    with asked as (
        update imaging.uploads
           set asked_at = imaging.clock()
         where id in (
            select id from imaging.uploads
             where status = 'EXPECTED' and asked_at <= imaging.clock() and created_at > imaging.clock() - interval '2 hours'
             order by asked_at limit (ask->>'recent')::integer for update skip locked)
        returning blob
    )
    select coalesce(jsonb_agg(blob order by blob), '[]') into recent from asked;

    with asked as (
        update imaging.uploads
           set asked_at = imaging.clock()
         where id in (
            select id from imaging.uploads
             where status = 'EXPECTED' and asked_at < imaging.clock() - interval '1 minute'
               and created_at <= imaging.clock() - interval '2 hours'
             order by asked_at limit (ask->>'older')::integer for update skip locked)
        returning blob
    )
    select coalesce(jsonb_agg(blob order by blob), '[]') into older from asked;
    return imaging.done(jsonb_build_object('received', received, 'recent', recent, 'older', older));
end
$$;

-- ingest.missing: storage has said that these are not there; those whose time has run out expire. The last URL was signed
-- before the time ran out and is valid for minutes: an hour later nothing can come any more.
create or replace function ingest.missing(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    update imaging.uploads
       set status = 'EXPIRED', reason = 'never_sent', updated_at = imaging.clock()
     where id in (select jsonb_array_elements_text(ask->'ids')::uuid)
       and status = 'EXPECTED' and expires_at < imaging.clock() - interval '1 hour';
    return imaging.done(null);
end
$$;
