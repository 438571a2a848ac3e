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

-- studies.lacks: whether a study lacks something of the patient that a file knows
create or replace function studies.lacks(s imaging.studies, known jsonb) returns boolean
language sql immutable
as $$
    select exists (select from jsonb_array_elements_text(coalesce(known, '[]')) as field where not s.sealed ? field)
$$;

-- studies.receive: what an image that was kept does to its study, and through it to the order. What the study lacks it
-- takes from the file, and nothing else; and nothing at all from one that a person had to put there. The caller holds the locks
-- of both.
create or replace function studies.receive(cx jsonb, s imaging.studies, ask jsonb, decided boolean) returns void
language plpgsql volatile
as $$
declare
    after imaging.studies;
    new_series boolean;
    said jsonb := case when not decided then ask->'study' end;
    fill jsonb := case when not decided and ask->'fill'->>'study' = s.id::text then ask->'fill'->'sealed' end;
begin
    select count(*) = 1 into new_series
      from (select from imaging.images kept
             where kept.organization = s.organization and kept.study_id = s.id and kept.status = 'STORED'
               and kept.series_instance_uid = ask->>'seriesInstanceUID'
             limit 2) as of_series;
    update imaging.studies
       set number_of_instances = number_of_instances + 1,
           number_of_series = number_of_series + new_series::integer,
           study_instance_uid = case
                when study_instance_uid_issued and not decided then ask->>'studyInstanceUID' else study_instance_uid end,
           study_instance_uid_issued = study_instance_uid_issued and decided,
           modality = coalesce(ask->'joined'->>modality, modality),
           study_time = coalesce(study_time, said->>'studyTime'),
           study_description = coalesce(study_description, said->>'studyDescription'),
           performing_physician = coalesce(performing_physician, said->>'performingPhysician'),
           operator_name = coalesce(operator_name, said->>'operatorName'),
           institution_name = coalesce(institution_name, said->>'institutionName'),
           station_name = coalesce(station_name, said->>'stationName'),
           issuer_of_patient_id = coalesce(
                issuer_of_patient_id, case when not decided then ask->>'issuerOfPatientId' end),
           sealed = jsonb_strip_nulls(coalesce(fill, '{}')) || sealed,
           patient_name_digest = coalesce(
                patient_name_digest, case when fill is not null then ask->'patientNameDigests'->>0 end),
           patient_birth_date_digest = coalesce(
                patient_birth_date_digest, case when fill is not null then ask->'patientBirthDateDigests'->>0 end),
           status = case when ask->'beforeImages' ? status then 'IN_PROGRESS' else status end
     where organization = s.organization and id = s.id
    returning * into after;

    -- The version counts changes of the study's own fields, and an image that arrives is not one.
    if (after.study_instance_uid, after.modality, after.study_time, after.study_description, after.performing_physician,
        after.operator_name, after.institution_name, after.station_name, after.sealed, after.status)
       is distinct from
       (s.study_instance_uid, s.modality, s.study_time, s.study_description, s.performing_physician,
        s.operator_name, s.institution_name, s.station_name, s.sealed, s.status) then
        update imaging.studies
           set version = version + 1, updated_at = imaging.clock()
         where organization = s.organization and id = s.id
        returning * into after;
    end if;

    if after.status <> s.status then
        perform orders.follow_study(cx, s.order_id, ask->'follow');
        perform outbox.append(cx, 'study.changed', 'study', s.id, after.version);
    end if;
    perform studies.tell_reader(cx, after, ask);
end
$$;

-- studies.tell_reader: images came after the report was written: the study says so, and its reader is told
create or replace function studies.tell_reader(cx jsonb, s imaging.studies, ask jsonb) returns void
language plpgsql volatile
as $$
begin
    if not ask->'reported' ? s.status then
        return;
    end if;
    update imaging.studies
       set images_after_report_at = imaging.clock()
     where organization = s.organization and id = s.id;
    perform outbox.append(cx, 'study.images_after_report', 'study', s.id, s.version);
end
$$;
