-- ingest.waiting: the uploads that the sweep should ask storage about, across organizations: all recent ones, and of the
-- older ones those that were asked about longest ago. What was received but not filed is tried again, later each time.
create or replace function ingest.waiting(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    recent jsonb;
    older jsonb;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    select coalesce(jsonb_agg(jsonb_build_object('blob', blob, 'received', status = 'RECEIVED') order by id), '[]')
      into recent
      from (select id, blob, status from imaging.uploads
             where (status = 'EXPECTED' and created_at > imaging.clock() - interval '2 hours')
                or (status = 'RECEIVED'
                    and updated_at < imaging.clock() - interval '1 second' * least(power(2, attempts), 300))
             order by id
             limit (ask->>'recent')::integer) as waiting;

    with asked as (
        update imaging.uploads
           set asked_at = imaging.clock()
         where id in (
            select id from imaging.uploads
             where status = 'EXPECTED' and created_at <= imaging.clock() - interval '2 hours'
               and asked_at < imaging.clock() - interval '1 minute'
             order by asked_at limit (ask->>'older')::integer for update skip locked)
        returning blob
    )
    select coalesce(jsonb_agg(jsonb_build_object('blob', blob, 'received', false)), '[]')
      into older from asked;
    return imaging.done(jsonb_build_object('recent', recent, 'older', older));
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
