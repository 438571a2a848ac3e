-- ingest.file: put an image whose header was read under its study, or write down why that is not possible.
-- Locks the order, the study, the instance and then the upload. What it does is done once, however often the blob is announced.
-- Answers {"settled": status}; or what it has to know before it can file the image, and has changed nothing of it yet:
-- {"announced": image} and {"fill": study} when something has to be sealed for that row, {"compare": blob} when nobody
-- but a reader of both can tell whether a stored image and this one are the same.
create or replace function ingest.file(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    found_upload imaging.uploads;
    u imaging.uploads;
    s imaging.studies;
    place jsonb;
    kept jsonb;
begin
    perform imaging.enter(cx);
    select * into found_upload from imaging.uploads
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    place := ingest.place_for(cx, found_upload, ask);
    if place ? 'compare' then
        return imaging.done(place);
    end if;
    s := studies.lock(cx, (place->>'study')::uuid);
    perform images.lock_instance(found_upload.organization, ask->>'sopInstanceUID');
    select * into u from imaging.uploads
     where organization = found_upload.organization and id = found_upload.id
       for update;
    -- EXPECTED: another that took it up at the same time could not read it, and gave it back. Settled, or decided upon by
    -- somebody meanwhile: then whoever has taken it up since is the one to file it.
    if u.status not in ('RECEIVED', 'EXPECTED')
        or (u.resolution, u.announced_sop_instance_uid, u.study_id, u.image_id) is distinct from
           (found_upload.resolution, found_upload.announced_sop_instance_uid, found_upload.study_id, found_upload.image_id)
    then
        return imaging.done(jsonb_build_object('settled', u.status));
    end if;

    place := place || ingest.objections(u, s, place, ask);
    if place ? 'held' then
        u := ingest.conclude(
            cx, u, 'CONFLICT', place->>'held',
            array(select jsonb_array_elements_text(coalesce(place->'differences', '[]'))), null, s.id, ask);
        return imaging.done(jsonb_build_object('settled', u.status));
    end if;
    if ask->'fill'->>'study' is distinct from s.id::text and not ingest.is_decided(u) and studies.lacks(s, ask->'known')
    then
        return imaging.done(jsonb_build_object('fill', s.id));
    end if;

    kept := images.keep(cx, s, u, ask);
    if kept ?| array['announced', 'compare'] then
        return imaging.done(kept);
    elsif kept ? 'duplicate' then
        u := ingest.conclude(cx, u, 'DUPLICATE', null, '{}', (kept->>'duplicate')::uuid, s.id, ask);
    elsif kept ? 'conflict' then
        u := ingest.conclude(
            cx, u, 'CONFLICT', 'instance_exists', array(select jsonb_array_elements_text(kept->'conflict')),
            (kept->>'image')::uuid, s.id, ask);
    else
        if kept ? 'replaced' then
            perform ingest.supersede(cx, (kept->>'replaced')::uuid);
            perform studies.recount(s);
            perform studies.tell_reader(cx, s, ask);
        else
            perform studies.receive(cx, s, ask, ingest.is_decided(u));
        end if;
        -- Other bytes may state something else in the same place.
        perform findings.raise_stated(cx, s, ask->'findings', case when kept ? 'replaced' then u.id end);
        u := ingest.conclude(cx, u, 'STORED', ask->>'remark', '{}', (kept->>'kept')::uuid, s.id, ask);
    end if;
    return imaging.done(jsonb_build_object('settled', u.status));
end
$$;

-- ingest.objections: why an image may not go under the study that was found for it, or {}. What a person has waived is not
-- objected to again, whatever else still is.
create or replace function ingest.objections(u imaging.uploads, s imaging.studies, place jsonb, ask jsonb) returns jsonb
language sql stable
as $$
    select case
        when place ? 'held' or place ? 'same' then '{}'
        when u.announced_sop_instance_uid is not null and u.announced_sop_instance_uid <> ask->>'sopInstanceUID'
         and not ingest.waives(u, 'another_instance')
            then '{"held": "another_instance", "differences": ["sopInstanceUID"]}'
        when s.patient_id is distinct from ask->>'patientId' and not ingest.waives(u, 'another_patient')
            then '{"held": "another_patient", "differences": ["patientId"]}'
        when (ingest.is_foreign_issuer(s.organization, ask->>'issuerOfPatientId')
                or s.issuer_of_patient_id <> ask->>'issuerOfPatientId')
         and not ingest.waives(u, 'another_patient')
            then '{"held": "another_patient", "differences": ["issuerOfPatientID"]}'
        when not ask->'patientNameDigests' ? s.patient_name_digest
         and not ask->'patientBirthDateDigests' ? s.patient_birth_date_digest
         and not ingest.waives(u, 'another_patient')
            then '{"held": "another_patient", "differences": ["patientName", "patientDOB"]}'
        when s.study_instance_uid <> ask->>'studyInstanceUID'
         and (not s.study_instance_uid_issued or exists (
                select from imaging.studies other
                 where other.organization = s.organization and other.study_instance_uid = ask->>'studyInstanceUID'))
         and not ingest.waives(u, 'another_study')
            then '{"held": "another_study", "differences": ["studyInstanceUID"]}'
        when s.status = 'CANCELLED' and not ingest.waives(u, 'study_cancelled')
            then '{"held": "study_cancelled"}'
        else '{}'
    end::jsonb
$$;

-- ingest.is_decided: whether a person has said that an upload is to be filed although something speaks against it
create or replace function ingest.is_decided(u imaging.uploads) returns boolean
language sql immutable
as $$ select coalesce(u.resolution->>'action' in ('ATTACH', 'ACCEPT'), false) $$;

-- ingest.waives: whether a person has said that an upload is to be filed although this speaks against it: whoever names the
-- study says so of everything, whoever accepts an upload says so of what it was held for, and of nothing else: one reason after
-- the other
create or replace function ingest.waives(u imaging.uploads, objection text) returns boolean
language sql immutable
as $$
    select coalesce(
        u.resolution->>'action' = 'ATTACH'
            or u.resolution->>'action' = 'ACCEPT' and u.resolution->'reasons' ? objection,
        false)
$$;

-- ingest.is_foreign_issuer: whether a patient id was issued by somebody whose ids the organization does not take
create or replace function ingest.is_foreign_issuer(owner text, issuer text) returns boolean
language sql stable
as $$
    select coalesce(not issuers ? issuer and jsonb_array_length(issuers) > 0, false)
      from (select (ingest.settings_in_force(owner)).document->'patientIdIssuers' as issuers) as settings
$$;
