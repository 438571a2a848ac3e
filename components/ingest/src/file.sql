-- ingest.file: put an image whose header was read under its study, or write down why that is not possible.
-- Locks the order, the study, the instance and then the upload. What it does is done once, however often the blob is announced.
create or replace function ingest.file(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    u imaging.uploads;
    s imaging.studies;
    found_place jsonb;
    kept jsonb;
begin
    perform imaging.enter(cx);
    select * into u from imaging.uploads
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    found_place := ingest.place_for(cx, u, ask);
    s := studies.lock(cx, (found_place->>'study')::uuid);
    perform images.lock_instance(u.organization, ask->>'sopInstanceUID');
    select * into u from imaging.uploads where organization = u.organization and id = u.id for update;
    -- EXPECTED: another that took it up at the same time could not read it, and gave it back.
    if u.status not in ('RECEIVED', 'EXPECTED') then
        return imaging.done(jsonb_build_object('settled', u.status));
    end if;

    found_place := coalesce(found_place, '{}') || ingest.objections(u, s, found_place, ask);
    if found_place ? 'held' then
        u := ingest.conclude(
            cx, u, 'CONFLICT', found_place->>'held',
            array(select jsonb_array_elements_text(coalesce(found_place->'differences', '[]'))),
            null, s.id, (ask->>'size')::bigint, ask->>'contentMD5');
        return imaging.done(jsonb_build_object('settled', u.status));
    end if;

    kept := images.keep(cx, s, u, ask);
    if kept ? 'announced' then
        return imaging.done(jsonb_build_object('announced', kept->'announced'));
    elsif kept ? 'duplicate' then
        u := ingest.conclude(
            cx, u, 'DUPLICATE', null, '{}', (kept->>'duplicate')::uuid, s.id, (ask->>'size')::bigint, ask->>'contentMD5');
    elsif kept ? 'conflict' then
        u := ingest.conclude(
            cx, u, 'CONFLICT', 'instance_exists',
            array(select jsonb_array_elements_text(kept->'conflict')),
            (kept->>'image')::uuid, s.id, (ask->>'size')::bigint, ask->>'contentMD5');
    else
        perform studies.receive(cx, s, (kept->>'kept')::uuid, ask);
        u := ingest.conclude(
            cx, u, 'STORED', null, '{}', (kept->>'kept')::uuid, s.id, (ask->>'size')::bigint, ask->>'contentMD5');
    end if;
    return imaging.done(jsonb_build_object(
        'settled', u.status,
        'study', s.id,
        -- What the file may know of the patient and the study does not: studies.fill takes it, sealed for this study.
        'missing', (select jsonb_agg(field) from unnest(array['patientName', 'patientDOB', 'patientSex']) as field
                     where u.status = 'STORED' and not s.sealed ? field)));
end
$$;

-- ingest.place_for: the study that an image belongs to: the announced one; else by Study Instance UID; else by accession
-- number; else a new study of the order with that accession number. Answers {"study"} or {"held": reason}.
create or replace function ingest.place_for(cx jsonb, u imaging.uploads, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    place uuid;
    o imaging.orders;
    s imaging.studies;
begin
    select id into place from imaging.studies
     where organization = u.organization and id = u.study_id and u.image_id is not null;
    if found then
        return jsonb_build_object('study', place, 'by', 'announcement');
    end if;
    select id into place from imaging.studies
     where organization = u.organization and study_instance_uid = ask->>'studyInstanceUID';
    if found then
        return jsonb_build_object('study', place, 'by', 'studyInstanceUID');
    end if;
    select id into place from imaging.studies
     where organization = u.organization and accession_number = ask->>'accessionNumber';
    if found then
        return jsonb_build_object('study', place, 'by', 'accessionNumber');
    end if;
    select * into o from imaging.orders
     where organization = u.organization and accession_number = ask->>'accessionNumber'
       for update;
    if not found then
        return '{"held": "no_order"}';
    end if;
    if o.patient_id is distinct from ask->>'patientId' then
        return '{"held": "another_patient", "differences": ["patientId"]}';
    end if;
    if not ask->'openOrders' ? o.status then
        return '{"held": "order_not_open"}';
    end if;
    if exists (
        select from imaging.images i
         where i.organization = u.organization and i.sop_instance_uid = ask->>'sopInstanceUID' and i.status = 'STORED'
    ) then
        return '{"held": "instance_exists", "differences": ["studyInstanceUID"]}';
    end if;
    s := studies.add(cx, ask->'study' || jsonb_build_object(
        'orderId', o.id,
        'accessionNumber', o.accession_number,
        'facilityId', o.facility_id,
        'providerId', o.provider_id,
        'patientId', o.patient_id,
        'modality', o.modality,
        'bodyPart', coalesce(ask->'study'->>'bodyPart', o.body_part),
        'priority', o.priority,
        'studyInstanceUIDIssued', false,
        'status', 'SCHEDULED'));
    if s.id is null then
        -- Another image of the same study was filed while this one waited for the order.
        select id into place from imaging.studies
         where organization = u.organization
           and (accession_number = o.accession_number or study_instance_uid = ask->>'studyInstanceUID')
         limit 1;
    else
        place := s.id;
        perform orders.follow_study(cx, o.id, ask->'registered');
        perform audit.append(cx, 'study.register', 'study', s.id, s.version, array[s.patient_id]);
        perform outbox.append(cx, 'study.registered', 'study', s.id, s.version);
    end if;
    return jsonb_build_object('study', place, 'by', 'accessionNumber');
end
$$;

-- ingest.objections: why an image may not go under the study that was found for it, or {}
create or replace function ingest.objections(u imaging.uploads, s imaging.studies, place jsonb, ask jsonb) returns jsonb
language sql stable
as $$
    select case
        when place ? 'held' then '{}'
        when u.announced_sop_instance_uid is not null and u.announced_sop_instance_uid <> ask->>'sopInstanceUID'
            then '{"held": "another_instance", "differences": ["sopInstanceUID"]}'
        when s.patient_id is distinct from ask->>'patientId'
            then '{"held": "another_patient", "differences": ["patientId"]}'
        when not ask->'patientNameDigests' ? s.patient_name_digest
         and not ask->'patientBirthDateDigests' ? s.patient_birth_date_digest
            then '{"held": "another_patient", "differences": ["patientName", "patientDOB"]}'
        when s.study_instance_uid <> ask->>'studyInstanceUID'
         and (not s.study_instance_uid_issued or s.number_of_instances > 0 or exists (
                select from imaging.studies other
                 where other.organization = s.organization and other.study_instance_uid = ask->>'studyInstanceUID'))
            then '{"held": "another_study", "differences": ["studyInstanceUID"]}'
        when s.status = 'CANCELLED'
            then '{"held": "study_cancelled"}'
        else '{}'
    end::jsonb
$$;
