-- ingest.resolve: a person decides what becomes of an upload that could not be filed by itself. What is to be filed is
-- taken up again, and the decision holds then.
create or replace function ingest.resolve(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    action text := ask->>'action';
    u imaging.uploads;
    i imaging.images;
begin
    perform imaging.enter(cx);
    select * into u from imaging.uploads
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    if not ask->'from' ? u.status or u.reason is not distinct from 'image_deleted' then
        return imaging.refuse('transition', jsonb_build_object('current', u.status, 'reason', u.reason));
    end if;
    if action = 'ATTACH' and not exists (
        select from imaging.studies s
         where s.organization = u.organization and s.id = (ask->>'studyId')::uuid
           and imaging.reaches(ask->'studies', s.facility_id, s.provider_id, s.patient_id)
    ) then
        return imaging.refuse('invalid', '{"field": "studyId", "message": "is not a study of this organization"}');
    end if;
    -- An instance is in one study and one series: what says otherwise cannot stand beside what is stored. What is only
    -- announced gives way.
    select * into i from imaging.images where organization = u.organization and id = u.image_id and status = 'STORED';
    if found and action in ('ATTACH', 'ACCEPT') and u.reason = 'instance_exists'
        and not (action = 'ACCEPT' and u.differences = array['content'])
    then
        return imaging.refuse('instance_exists');
    end if;

    if action = 'REJECT' then
        update imaging.uploads
           set status = 'QUARANTINED', reason = 'rejected', resolution = jsonb_build_object('action', action),
               updated_at = imaging.clock()
         where organization = u.organization and id = u.id
        returning * into u;
    else
        update imaging.uploads
           set status = 'RECEIVED', reason = null, differences = '{}', unreturned = 0,
               -- It holds for what the person knew: why the upload was held, and which bytes stood in its way.
               resolution = jsonb_strip_nulls(jsonb_build_object(
                    'action', action, 'studyId', ask->'studyId', 'former', i.upload_id, 'facilityId', ask->'facilityId',
                    'reasons', case when action = 'ACCEPT' then coalesce(u.resolution->'reasons', '[]') || to_jsonb(u.reason) end)),
               updated_at = imaging.clock()
         where organization = u.organization and id = u.id
        returning * into u;
    end if;
    perform audit.append(
        cx, 'upload.resolve', 'upload', u.id, null,
        audit.patients_of(u.organization, array[u.study_id, (ask->>'studyId')::uuid]) || u.patient_id, null,
        jsonb_build_object('action', action));
    return imaging.done(ingest.document(u));
end
$$;

-- ingest.supersede: the image of this upload has another's bytes now; its own are kept
create or replace function ingest.supersede(cx jsonb, superseded uuid) returns void
language plpgsql volatile
as $$
begin
    update imaging.uploads
       set status = 'QUARANTINED', reason = 'replaced', updated_at = imaging.clock()
     where organization = cx->>'organization' and id = superseded;
    perform audit.append(cx, 'upload.quarantined', 'upload', superseded, null, '{}');
end
$$;
