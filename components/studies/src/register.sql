-- studies.register: lock the order, check that it is open and the study its own, and add the study to it
create or replace function studies.register(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.orders;
    s imaging.studies;
    accession text := ask->>'accessionNumber';
    faults jsonb;
begin
    perform imaging.enter(cx);
    -- What comes for it at this moment finds it, or is found waiting.
    perform orders.lock_accession(cx->>'organization', accession);
    perform orders.lock_accession(
        cx->>'organization', case when not (ask->>'studyInstanceUIDIssued')::boolean then ask->>'studyInstanceUID' end);
    select * into o from imaging.orders
     where organization = cx->>'organization' and id = (ask->>'orderId')::uuid
       for update;
    if not found then
        return imaging.refuse('invalid', '{"field": "orderId", "message": "is not an order of this organization"}');
    end if;
    select jsonb_agg(jsonb_build_object('field', field, 'message', message))
      into faults
      from (values
        (ask->>'modality', o.modality, 'modality', 'is not the modality of the order'),
        (ask->>'patientId', o.patient_id, 'patientId', 'is not the patient of the order')
      ) as said(ours, orders, field, message)
     where ours <> orders;
    if faults is not null then
        return imaging.refuse('invalid', jsonb_build_object('errors', faults));
    end if;
    if not ask->'open' ? o.status then
        return imaging.refuse('order_not_open', jsonb_build_object('current', o.status));
    end if;
    if accession is not null and accession <> o.accession_number and exists (
        select from imaging.orders other
         where other.organization = o.organization and other.accession_number = accession
    ) then
        return imaging.refuse('duplicate', '{"field": "accessionNumber"}');
    end if;
    if accession is null and not exists (
        select from imaging.studies other
         where other.organization = o.organization and other.accession_number = o.accession_number
    ) then
        accession := o.accession_number;
    end if;
    accession := coalesce(accession, studies.issue_accession(o.organization));

    s := studies.add(cx, ask || jsonb_build_object(
        'accessionNumber', accession,
        'facilityId', o.facility_id,
        'providerId', o.provider_id,
        'priority', coalesce(ask->>'priority', o.priority),
        'status', 'SCHEDULED'));
    if s.id is null then
        return imaging.refuse('duplicate', jsonb_build_object('field', case
            when exists (select from imaging.studies other
                          where other.organization = o.organization
                            and other.study_instance_uid = ask->>'studyInstanceUID')
            then 'studyInstanceUID' else 'accessionNumber' end));
    end if;
    perform orders.follow_study(cx, o.id, ask->'follow');
    perform audit.append(cx, 'study.register', 'study', s.id, s.version, array[s.patient_id]);
    perform outbox.append(cx, 'study.registered', 'study', s.id, s.version);
    if s.patient_name_digest is null then
        perform outbox.append(cx, 'study.unnamed', 'study', s.id, s.version);
    end if;
    perform ingest.wake(cx, s.accession_number, s.study_instance_uid);
    return imaging.done(studies.document(s));
end
$$;

-- studies.issue_accession: a number for a study that was given none. One that was given to an order or a study by hand is
-- passed over.
create or replace function studies.issue_accession(owner text) returns text
language plpgsql volatile
as $$
declare
    issued text;
begin
    loop
        issued := imaging.issue_number('ACC-');
        exit when not exists (
            select from imaging.orders o where o.organization = owner and o.accession_number = issued
        ) and not exists (
            select from imaging.studies s where s.organization = owner and s.accession_number = issued
        );
    end loop;
    return issued;
end
$$;

-- studies.add: the row of a new study; nothing when its accession number or its UID is in use
create or replace function studies.add(cx jsonb, ask jsonb) returns imaging.studies
language sql volatile
as $$
    insert into imaging.studies (
        organization, id, order_id, facility_id, provider_id, accession_number, study_instance_uid,
        study_instance_uid_issued, study_date, study_time, study_description, modality, body_part, patient_id,
        patient_name_digest, patient_birth_date_digest, performing_physician, operator_name, institution_name,
        station_name, priority, status, sealed, created_at, updated_at)
    values (
        cx->>'organization', (ask->>'id')::uuid, (ask->>'orderId')::uuid, ask->>'facilityId', ask->>'providerId',
        ask->>'accessionNumber', ask->>'studyInstanceUID', (ask->>'studyInstanceUIDIssued')::boolean,
        coalesce((ask->>'studyDate')::timestamptz, imaging.clock()), ask->>'studyTime', ask->>'studyDescription',
        ask->>'modality', ask->>'bodyPart', ask->>'patientId', ask->'patientNameDigests'->>0,
        ask->'patientBirthDateDigests'->>0, ask->>'performingPhysician', ask->>'operatorName', ask->>'institutionName',
        ask->>'stationName', ask->>'priority', ask->>'status', jsonb_strip_nulls(ask->'sealed'), imaging.clock(),
        imaging.clock())
    on conflict do nothing
    returning *
$$;
