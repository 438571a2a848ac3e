-- studies.recount: how many series and instances a study has. The caller holds its lock.
create or replace function studies.recount(s imaging.studies) returns void
language sql volatile
as $$
    update imaging.studies
       set (number_of_series, number_of_instances) = (
            select count(distinct i.series_instance_uid), count(*)
              from imaging.images i
             where i.organization = s.organization and i.study_id = s.id and i.status = 'STORED')
     where organization = s.organization and id = s.id
$$;

-- studies.receive: what an image that was kept does to its study, and through it to the order.
-- The caller holds the locks of both.
create or replace function studies.receive(cx jsonb, s imaging.studies, image uuid, ask jsonb) returns void
language plpgsql volatile
as $$
declare
    after imaging.studies;
    new_series boolean;
begin
    select count(*) = 1 into new_series
      from (select from imaging.images kept
             where kept.organization = s.organization and kept.study_id = s.id and kept.status = 'STORED'
               and kept.series_instance_uid = ask->>'seriesInstanceUID'
             limit 2) as of_series;
    update imaging.studies
       set number_of_instances = number_of_instances + 1,
           number_of_series = number_of_series + new_series::integer,
           study_instance_uid = case when study_instance_uid_issued then ask->>'studyInstanceUID' else study_instance_uid end,
           study_instance_uid_issued = false,
           study_time = coalesce(study_time, ask->'study'->>'studyTime'),
           study_description = coalesce(study_description, ask->'study'->>'studyDescription'),
           performing_physician = coalesce(performing_physician, ask->'study'->>'performingPhysician'),
           operator_name = coalesce(operator_name, ask->'study'->>'operatorName'),
           institution_name = coalesce(institution_name, ask->'study'->>'institutionName'),
           station_name = coalesce(station_name, ask->'study'->>'stationName'),
           status = case when ask->'beforeImages' ? status then 'IN_PROGRESS' else status end,
           images_after_report_at = case when ask->'reported' ? status then imaging.clock() else images_after_report_at end
     where organization = s.organization and id = s.id
    returning * into after;

    -- The version counts changes of the study's own fields, and an image that arrives is not one.
    if (after.study_instance_uid, after.study_time, after.study_description, after.performing_physician,
        after.operator_name, after.institution_name, after.station_name, after.status)
       is distinct from
       (s.study_instance_uid, s.study_time, s.study_description, s.performing_physician,
        s.operator_name, s.institution_name, s.station_name, s.status) then
        update imaging.studies
           set version = version + 1, updated_at = imaging.clock()
         where organization = s.organization and id = s.id
        returning * into after;
    end if;

    if after.status <> s.status then
        perform orders.follow_study(cx, s.order_id, ask->'follow');
        perform outbox.append(cx, 'study.changed', 'study', s.id, after.version);
    end if;
    if ask->'reported' ? s.status then
        perform outbox.append(cx, 'study.images_after_report', 'study', s.id, after.version);
    end if;
end
$$;

-- studies.fill: what only the file knew of the patient, sealed for the study that the file was filed under
create or replace function studies.fill(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
begin
    perform imaging.enter(cx);
    update imaging.studies
       set sealed = imaging.merge_sealed(ask->'sealed', sealed),
           patient_name_digest = coalesce(patient_name_digest, ask->'patientNameDigests'->>0),
           patient_birth_date_digest = coalesce(patient_birth_date_digest, ask->'patientBirthDateDigests'->>0),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       and not sealed ?& array(select jsonb_object_keys(ask->'sealed'))
    returning * into s;
    if found then
        perform audit.append(cx, 'study.fill', 'study', s.id, s.version, array[s.patient_id]);
    end if;
    return imaging.done(null);
end
$$;
