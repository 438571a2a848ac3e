-- studies.document: a study as the wire shows it; the guest opens what is sealed
create or replace function studies.document(s imaging.studies) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', s.id,
        'orderId', s.order_id,
        'accessionNumber', s.accession_number,
        'studyInstanceUID', s.study_instance_uid,
        'studyDate', imaging.iso(s.study_date),
        'studyTime', s.study_time,
        'studyDescription', s.study_description,
        'modality', s.modality,
        'bodyPart', s.body_part,
        'numberOfSeries', s.number_of_series,
        'numberOfInstances', s.number_of_instances,
        'imagesAfterReportAt', imaging.iso(s.images_after_report_at),
        'patientId', s.patient_id,
        'patientName', null,
        'patientDOB', null,
        'patientSex', null,
        'performingPhysician', s.performing_physician,
        'operatorName', s.operator_name,
        'institutionName', s.institution_name,
        'stationName', s.station_name,
        'status', s.status,
        'statusReason', null,
        'priority', s.priority,
        'version', s.version,
        'createdAt', imaging.iso(s.created_at),
        'updatedAt', imaging.iso(s.updated_at),
        'sealed', jsonb_build_object('studies', s.sealed))
$$;

-- studies.summary: what a reader of a report or of a finding sees of its study
create or replace function studies.summary(s imaging.studies) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', s.id,
        'accessionNumber', s.accession_number,
        'studyInstanceUID', s.study_instance_uid,
        'studyDate', imaging.iso(s.study_date),
        'modality', s.modality,
        'bodyPart', s.body_part,
        'patientId', s.patient_id,
        'patientName', null,
        'patientDOB', null,
        'patientSex', null,
        'status', s.status,
        'sealed', jsonb_build_object('studies', jsonb_strip_nulls(jsonb_build_object(
            'patientName', s.sealed->'patientName',
            'patientDOB', s.sealed->'patientDOB',
            'patientSex', s.sealed->'patientSex'))))
$$;

-- studies.whole: a study with its order, images, reports and findings, as far as the caller may read them
create or replace function studies.whole(s imaging.studies, ask jsonb) returns jsonb
language sql stable
as $$
    select studies.document(s) || jsonb_build_object(
        'order',
            (select orders.document(o) from imaging.orders o
              where o.organization = s.organization and o.id = s.order_id
                and imaging.reaches(ask->'orders', o.facility_id, o.provider_id, o.patient_id)),
        'images', images.of_study(s, ask->'images', 1000),
        'imagesTruncated', images.count_of_study(s, ask->'images') > 1000,
        'reports', reports.of_study(s, ask->'reports'),
        'criticalFindings', findings.of_study(s, ask->'findings'))
$$;
