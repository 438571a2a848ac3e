-- ingest.begin: take up a blob that has arrived. Acts across organizations: the upload's row knows whose it is.
-- Answers the row, or {"settled": status} when there is nothing left to do.
create or replace function ingest.begin(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    u imaging.uploads;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    -- What ends the component each time it is taken up is not taken up for ever.
    update imaging.uploads
       set status = 'QUARANTINED', reason = 'repeatedly_failed', updated_at = imaging.clock()
     where id = (ask->>'id')::uuid and status = 'RECEIVED' and unreturned >= 8
       and updated_at < imaging.clock() - interval '5 seconds';
    update imaging.uploads
       set status = 'RECEIVED', attempts = attempts + 1, unreturned = unreturned + 1, updated_at = imaging.clock(),
           received_at = coalesce(received_at, imaging.clock())
     where id = (ask->>'id')::uuid and reason is distinct from 'image_deleted'
       and (status in ('EXPECTED', 'EXPIRED')
            -- Nobody is at it; or whoever took it up has had the time.
            or status = 'RECEIVED' and (unreturned = 0 or updated_at < imaging.clock() - interval '5 seconds'))
    returning * into u;
    if found then
        return imaging.done(jsonb_build_object(
            'organization', u.organization,
            'blob', u.blob,
            -- What was announced is what arrives, unless a person had to look at it first.
            'image', case when u.announced_sop_instance_uid is not null and not ingest.is_decided(u) then u.image_id end));
    end if;
    select * into u from imaging.uploads where id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    return imaging.done(jsonb_build_object('settled', u.status));
end
$$;
