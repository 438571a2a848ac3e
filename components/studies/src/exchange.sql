-- studies.exchanged: a study as domain::fhir makes an ImagingStudy of it
create or replace function studies.exchanged(s imaging.studies) returns jsonb
language sql stable
as $$
    select studies.document(s) || jsonb_build_object(
        'facilityId', s.facility_id,
        'order', orders.named(s.organization, s.order_id),
        'series', images.series_of(s, 1000))
$$;

-- studies.called: the studies that an identifier may mean (domain::fhir::Called)
create or replace function studies.called(owner text, called jsonb) returns uuid[]
language sql stable
as $$
    select array(
        select s.id from imaging.studies s
         where called->'kinds' ? 'uid' and s.organization = owner
           and s.study_instance_uid = coalesce(called->>'uid', called->>'value')
        union
        select s.id from imaging.studies s
         where called->'kinds' ? 'accession-number' and s.organization = owner
           and s.accession_number = called->>'value')
$$;

-- studies.describe: what is known of a patient, put into one of the patient's studies that is still open; what is not
-- known stays. Whether there was such a study.
create or replace function studies.describe(cx jsonb, described uuid, ask jsonb) returns boolean
language plpgsql volatile
as $$
declare
    s imaging.studies;
begin
    update imaging.studies
       set sealed = imaging.merge_sealed(sealed, ask->'sealed'),
           patient_name_digest = coalesce(ask->'patientNameDigests'->>0, patient_name_digest),
           patient_birth_date_digest = coalesce(ask->'patientBirthDateDigests'->>0, patient_birth_date_digest),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = cx->>'organization' and id = described and patient_id = ask->>'patientId'
       and ask->'open' ? status
    returning * into s;
    if not found then
        return false;
    end if;
    perform audit.append(cx, 'study.describe', 'study', s.id, s.version, array[s.patient_id]);
    perform outbox.append(cx, 'study.changed', 'study', s.id, s.version);
    return true;
end
$$;
