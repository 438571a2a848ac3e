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

-- studies.reports_of: the reports of a study that the reach covers, newest first. "preliminary" names the
-- priorities of the order at which an unsigned report is shown; without it, always.
create or replace function studies.reports_of(s imaging.studies, reach jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(
        jsonb_build_object(
            'id', r.id,
            'reportNumber', r.report_number,
            'studyId', r.study_id,
            'radiologistId', r.radiologist_id,
            'radiologistName', r.radiologist_name,
            'status', r.status,
            'clinicalHistory', null, 'technique', null, 'comparison', null, 'findings', null,
            'impression', null, 'recommendations', null,
            'preliminaryDate', imaging.iso(r.preliminary_date),
            'finalizedDate', imaging.iso(r.finalized_date),
            'amendedDate', imaging.iso(r.amended_date),
            'amendmentReason', null,
            'signedBy', r.signed_by,
            'signedAt', imaging.iso(r.signed_at),
            'transcribedBy', r.transcribed_by,
            'transcribedAt', imaging.iso(r.transcribed_at),
            'template', r.template,
            'macros', null,
            'contentVersion', r.content_version,
            'contentHash', r.content_hash,
            'version', r.version,
            'createdAt', imaging.iso(r.created_at),
            'updatedAt', imaging.iso(r.updated_at),
            'sealed', jsonb_build_object('reports', r.sealed))
        order by r.id desc), '[]')
      from imaging.reports r
     where r.organization = s.organization and r.study_id = s.id
       and imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id)
       and (r.status <> 'PRELIMINARY' or not reach ? 'preliminary' or reach->'preliminary' ? coalesce(
            (select o.priority from imaging.orders o where o.organization = s.organization and o.id = s.order_id), s.priority))
$$;

-- studies.findings_of: the critical findings of a study that the reach covers, newest first
create or replace function studies.findings_of(s imaging.studies, reach jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(
        jsonb_build_object(
            'id', f.id,
            'studyId', f.study_id,
            'reportId', f.report_id,
            'finding', null,
            'severity', f.severity,
            'category', f.category,
            'bodyPart', f.body_part,
            'reportedBy', f.reported_by,
            'reportedAt', imaging.iso(f.reported_at),
            'acknowledgedBy', f.acknowledged_by,
            'acknowledgedAt', imaging.iso(f.acknowledged_at),
            'readBack', null,
            'followUpRequired', f.follow_up_required,
            'followUpAction', null,
            'followUpStatus', f.follow_up_status,
            'notes', null,
            'status', f.status,
            'dueAt', imaging.iso(f.due_at),
            'source', f.source,
            'version', f.version,
            'createdAt', imaging.iso(f.created_at),
            'updatedAt', imaging.iso(f.updated_at),
            'sealed', jsonb_build_object('findings', f.sealed))
        order by f.id desc), '[]')
      from imaging.findings f
     where f.organization = s.organization and f.study_id = s.id
       and imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id)
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
        'reports', studies.reports_of(s, ask->'reports'),
        'criticalFindings', studies.findings_of(s, ask->'findings'))
$$;
