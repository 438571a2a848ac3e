-- ingest.offer: uploads for a sender that knows no study yet; answers them in the order in which they were minted
create or replace function ingest.offer(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform imaging.enter(cx);
    insert into imaging.uploads (
        organization, id, blob, status, facility_id, offered_to, expires_at, asked_at, created_at, updated_at)
    select cx->>'organization', (offer->>'id')::uuid, offer->>'blob', 'EXPECTED', ask->>'facilityId', cx->>'actor',
           imaging.clock() + (ask->>'expectedFor')::interval, imaging.clock(), imaging.clock(), imaging.clock()
      from jsonb_array_elements(ask->'uploads') as offer;
    perform audit.append(cx, 'upload.offer', 'upload', null, null, '{}');
    return imaging.done(jsonb_build_object('uploads', ask->'uploads'));
end
$$;
