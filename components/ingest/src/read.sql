-- ingest.read: what became of one upload, and whether it may still be sent
create or replace function ingest.read(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    u imaging.uploads;
begin
    perform imaging.enter(cx);
    select * into u from imaging.uploads
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    perform audit.append(
        cx, 'upload.read', 'upload', u.id, null, audit.patients_of(u.organization, array[u.study_id]) || u.patient_id);
    return imaging.done(ingest.document(u) || jsonb_build_object(
        'awaited', u.status = 'EXPECTED' and u.expires_at > imaging.clock()));
end
$$;
