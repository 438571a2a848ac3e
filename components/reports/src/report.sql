-- reports.document: a report as the wire shows it; the guest opens what is sealed
create or replace function reports.document(r imaging.reports) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', r.id,
        'reportNumber', r.report_number,
        'studyId', r.study_id,
        'radiologistId', r.radiologist_id,
        'radiologistName', r.radiologist_name,
        'status', r.status,
        'clinicalHistory', null,
        'technique', null,
        'comparison', null,
        'findings', null,
        'impression', null,
        'recommendations', null,
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
$$;

-- reports.reads: whether a caller's reach covers a report. "preliminary" names the priorities of the order at which an
-- unsigned one is shown; without it, always. Who was told of a finding reads the report that it is in.
create or replace function reports.reads(reach jsonb, r imaging.reports, s imaging.studies) returns boolean
language sql stable
as $$
    select coalesce(
        imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id)
            and (r.status <> 'PRELIMINARY' or not reach ? 'preliminary' or reach->'preliminary' ? coalesce(
                (select o.priority from imaging.orders o where o.organization = s.organization and o.id = s.order_id),
                s.priority, ''))
        or findings.told_report(reach, r),
        false)
$$;

-- reports.of_study: the reports of a study that the reach covers, newest first
create or replace function reports.of_study(s imaging.studies, reach jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(reports.document(r) order by r.id desc), '[]')
      from imaging.reports r
     where r.organization = s.organization and r.study_id = s.id and reports.reads(reach, r, s)
$$;

-- reports.lock: a report with its order and its study locked first, so that nobody waits for somebody who waits
create or replace function reports.lock(cx jsonb, locked uuid) returns imaging.reports
language plpgsql volatile
as $$
declare
    r imaging.reports;
begin
    perform studies.lock(cx, study_id) from imaging.reports where organization = cx->>'organization' and id = locked;
    select * into r from imaging.reports where organization = cx->>'organization' and id = locked for update;
    return r;
end
$$;

-- reports.refused_row: imaging.refused_row for a report
create or replace function reports.refused_row(ask jsonb, r imaging.reports, s imaging.studies) returns jsonb
language sql stable
as $$
    select case
        when r.id is null or not reports.reads(ask->'reach', r, s) then imaging.refuse('not_found')
        when exists (
            select from jsonb_array_elements(ask->'within') as needed
            where not coalesce((needed->>'everything')::boolean, false)
              and needed->>'radiologist' is distinct from r.radiologist_id
        ) then imaging.refuse('forbidden')
    end
$$;

-- reports.refused: the refusal of a step of a report's state machine, or null
create or replace function reports.refused(ask jsonb, r imaging.reports, s imaging.studies) returns jsonb
language sql stable
as $$
    select coalesce(
        reports.refused_row(ask, r, s),
        imaging.refused_version(ask, r.version),
        case when not ask->'from' ? r.status
            then imaging.refuse('transition', jsonb_build_object('current', r.status)) end)
$$;

-- reports.keep: the version that a report is now, kept for good, and the event of the act that made it so.
-- The event of a signature binds its content to the signer and the time.
create or replace function reports.keep(cx jsonb, action text, r imaging.reports, s imaging.studies) returns void
language plpgsql volatile
as $$
begin
    insert into imaging.report_versions
    select v.* from jsonb_populate_record(
        null::imaging.report_versions, to_jsonb(r) || jsonb_build_object('report_id', r.id)) as v;
    perform audit.append(
        cx, action, 'report', r.id, r.version, array[s.patient_id],
        case when action = 'report.amend' then jsonb_build_object('reports', jsonb_build_object(
            'amendmentReason', r.sealed->'amendmentReason')) end,
        jsonb_build_object('contentVersion', r.content_version, 'contentHash', r.content_hash));
end
$$;

-- reports.as_of: a version of a report, as the report that it was
create or replace function reports.as_of(v imaging.report_versions) returns imaging.reports
language sql stable
as $$
    select r from jsonb_populate_record(
        null::imaging.reports, to_jsonb(v) || jsonb_build_object('id', v.report_id)) as r
$$;

-- reports.versions_of: what is known of each version of a report that the reach covers, in the order they were written
create or replace function reports.versions_of(r imaging.reports, s imaging.studies, reach jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(
        jsonb_build_object(
            'contentVersion', v.content_version,
            'status', v.status,
            'at', imaging.iso(v.updated_at),
            'by', v.written_by,
            'contentHash', v.content_hash)
        order by v.content_version), '[]')
      from imaging.report_versions v
     where v.organization = r.organization and v.report_id = r.id and reports.reads(reach, reports.as_of(v), s)
$$;
