-- ingest.settle: what became of an upload that cannot be filed, or not by itself
create or replace function ingest.settle(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    u imaging.uploads;
begin
    perform imaging.enter(cx);
    select * into u from imaging.uploads
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if u.status = 'RECEIVED' and ask->>'status' = 'EXPECTED' then
        -- Not there, or not to be had now: as if it had not been tried, but not at once again.
        update imaging.uploads
           set status = 'EXPECTED', attempts = attempts - 1, unreturned = 0, received_at = null,
               updated_at = imaging.clock(), asked_at = imaging.clock() + interval '5 seconds'
         where organization = u.organization and id = u.id
        returning * into u;
    elsif u.status = 'RECEIVED' then
        u := ingest.conclude(cx, u, ask->>'status', ask->>'reason', '{}', null, null, ask);
    end if;
    return imaging.done(jsonb_build_object('settled', u.status));
end
$$;

-- ingest.conclude: write down what became of an upload; "stated" is what its file says of itself
create or replace function ingest.conclude(
    cx jsonb, u imaging.uploads, new_status text, why text, differing text[], image uuid, study uuid, stated jsonb
) returns imaging.uploads
language plpgsql volatile
as $$
begin
    update imaging.uploads
       set status = new_status, reason = why, unreturned = 0, differences = differing, image_id = coalesce(image, image_id),
           study_id = coalesce(study, study_id), size = (stated->>'size')::bigint, content_md5 = stated->>'contentMD5',
           patient_id = stated->>'patientId', accession_number = stated->>'accessionNumber', study_instance_uid = stated->>'studyInstanceUID',
           sop_instance_uid = stated->>'sopInstanceUID', updated_at = imaging.clock()
     where organization = u.organization and id = u.id
    returning * into u;
    perform audit.append(
        cx, 'upload.' || lower(new_status), 'upload', u.id, null,
        audit.patients_of(u.organization, array[u.study_id]) || u.patient_id);
    return u;
end
$$;
