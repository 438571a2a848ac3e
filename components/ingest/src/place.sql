-- ingest.place_for: the study that an image belongs to: the one that a person has named, or that it was announced for; else
-- by Study Instance UID; else by accession number; else a new study of the order with that accession number; else, if
-- the organization wants that, a new study without an order. Answers {"study": id} or {"held": reason}.
create or replace function ingest.place_for(cx jsonb, u imaging.uploads, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    stored imaging.images;
    is_same boolean;
    place uuid;
    o imaging.orders;
begin
    -- What is there already is there, wherever a person may have put it.
    select * into stored from imaging.images
     where organization = u.organization and sop_instance_uid = ask->>'sopInstanceUID' and status = 'STORED';
    if found then
        is_same := images.is_same(stored, ask);
        if is_same is null then
            return jsonb_build_object('compare', stored.blob);
        elsif is_same then
            return jsonb_build_object('study', stored.study_id, 'same', true);
        end if;
    end if;
    place := case
        when u.resolution->>'action' = 'ATTACH' then (u.resolution->>'studyId')::uuid
        when u.announced_sop_instance_uid is not null then u.study_id
    end;
    if place is not null then
        return jsonb_build_object('study', place);
    end if;
    place := ingest.study_of(u.organization, ask);
    if place is not null then
        return jsonb_build_object('study', place);
    end if;

    -- From here on, nobody else makes a study of this accession number or UID, nor an order.
    perform orders.lock_accession(u.organization, ask->>'accessionNumber');
    perform orders.lock_accession(u.organization, ask->>'studyInstanceUID');
    place := ingest.study_of(u.organization, ask);
    if place is not null then
        return jsonb_build_object('study', place);
    end if;
    select * into o from imaging.orders
     where organization = u.organization and accession_number = ask->>'accessionNumber'
       for update;
    if o.id is not null then
        return ingest.place_under_order(cx, u, o, ask);
    end if;
    return ingest.place_without_order(cx, u, ask);
end
$$;

-- ingest.study_of: the study of a Study Instance UID, else of an accession number
create or replace function ingest.study_of(owner text, ask jsonb) returns uuid
language sql stable
as $$
    select coalesce(
        (select id from imaging.studies
          where organization = owner and study_instance_uid = ask->>'studyInstanceUID'),
        (select id from imaging.studies
          where organization = owner and accession_number = ask->>'accessionNumber'))
$$;

-- ingest.place_under_order: a new study of an order that has none of this accession number yet. The caller holds the
-- order's lock.
create or replace function ingest.place_under_order(cx jsonb, u imaging.uploads, o imaging.orders, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    is_open boolean := ask->'openOrders' ? o.status;
    study jsonb := ask->'study';
begin
    if not ingest.waives(u, 'another_patient') then
        if o.patient_id is distinct from ask->>'patientId' then
            return '{"held": "another_patient", "differences": ["patientId"]}';
        elsif ingest.is_foreign_issuer(u.organization, ask->>'issuerOfPatientId') then
            return '{"held": "another_patient", "differences": ["issuerOfPatientID"]}';
        end if;
    end if;
    if not is_open and not ingest.waives(u, 'order_not_open') then
        return '{"held": "order_not_open"}';
    elsif images.stands_elsewhere(u, ask) then
        return '{"held": "instance_exists", "differences": ["studyInstanceUID"]}';
    end if;
    -- Whose the order is, is not what a file of another patient says.
    if o.patient_id is distinct from ask->>'patientId' then
        study := study - 'patientNameDigests' - 'patientBirthDateDigests' || '{"sealed": {}}';
    end if;
    return ingest.new_study(
        cx,
        study || jsonb_build_object(
            'orderId', o.id,
            'accessionNumber', o.accession_number,
            'facilityId', o.facility_id,
            'providerId', o.provider_id,
            'patientId', o.patient_id,
            'modality', o.modality,
            'bodyPart', coalesce(study->>'bodyPart', o.body_part),
            'priority', o.priority),
        case when is_open then ask->'registered' end);
end
$$;

-- ingest.place_without_order: a new study of images that nobody ordered, at the uploader's facility
create or replace function ingest.place_without_order(cx jsonb, u imaging.uploads, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    settings imaging.ingest_settings := ingest.settings_in_force(u.organization);
    -- Who offers uploads for no facility in particular leaves it to whoever decides.
    facility text := coalesce(nullif(u.facility_id, ''), u.resolution->>'facilityId');
begin
    if not coalesce((settings.document->>'unscheduledStudies')::boolean, false) and not ingest.waives(u, 'no_order') then
        return '{"held": "no_order"}';
    elsif ingest.is_foreign_issuer(u.organization, ask->>'issuerOfPatientId')
        and not ingest.waives(u, 'another_patient')
    then
        return '{"held": "another_patient", "differences": ["issuerOfPatientID"]}';
    -- A study is somebody's, and somewhere: or nobody would ever see it.
    elsif ask->>'patientId' is null then
        return '{"held": "no_patient", "differences": ["patientId"]}';
    elsif facility is null then
        return '{"held": "no_facility"}';
    elsif images.stands_elsewhere(u, ask) then
        return '{"held": "instance_exists", "differences": ["studyInstanceUID"]}';
    end if;
    return ingest.new_study(
        cx,
        ask->'study' || jsonb_build_object(
            'accessionNumber', coalesce(ask->>'accessionNumber', studies.issue_accession(u.organization)),
            'facilityId', facility,
            'patientId', ask->>'patientId',
            'bodyPart', coalesce(ask->'study'->>'bodyPart', 'UNSPECIFIED')),
        null);
end
$$;

-- ingest.new_study: the study that the first of its images makes; "follow" says where it brings its order
create or replace function ingest.new_study(cx jsonb, study jsonb, follow jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    s imaging.studies := studies.add(cx, study || '{"studyInstanceUIDIssued": false, "status": "SCHEDULED"}');
begin
    if s.id is null then
        -- Another image of the same study was filed while this one waited.
        return jsonb_build_object('study', ingest.study_of(cx->>'organization', study));
    end if;
    perform orders.follow_study(cx, s.order_id, follow);
    perform audit.append(cx, 'study.register', 'study', s.id, s.version, array[s.patient_id]);
    perform outbox.append(cx, 'study.registered', 'study', s.id, s.version);
    if s.patient_name_digest is null then
        perform outbox.append(cx, 'study.unnamed', 'study', s.id, s.version);
    end if;
    perform ingest.wake(cx, s.accession_number, s.study_instance_uid);
    return jsonb_build_object('study', s.id);
end
$$;

-- ingest.wake: what was held for want of an order or a study, or as another patient's, is tried again, now that there is one of
-- this accession number or UID, or something else is known of its patient; without either, all of it
create or replace function ingest.wake(cx jsonb, accession text, study_uid text) returns void
language sql volatile
as $$
    update imaging.uploads
       set status = 'RECEIVED', reason = null, differences = '{}', unreturned = 0, updated_at = imaging.clock()
     where organization = cx->>'organization' and id in (
        select waiting.id from imaging.uploads waiting
         where waiting.organization = cx->>'organization' and waiting.status = 'CONFLICT'
           and waiting.reason in ('no_order', 'no_patient', 'no_facility', 'order_not_open', 'another_patient')
           and (waiting.accession_number = accession or waiting.study_instance_uid = study_uid
                or accession is null and study_uid is null)
         order by waiting.id
           for update)
$$;
