-- reports.write: lock the study, check that all its images are there, and add the report and its first version
create or replace function reports.write(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    r imaging.reports;
    signed boolean := ask->>'status' <> 'PRELIMINARY';
begin
    perform imaging.enter(cx);
    s := studies.lock(cx, (ask->>'studyId')::uuid);
    if s.id is null then
        return imaging.refuse('invalid', '{"field": "studyId", "message": "is not a study of this organization"}');
    end if;
    if not ask->'reportable' ? s.status then
        return imaging.refuse('study_not_reportable', jsonb_build_object('current', s.status));
    end if;

    insert into imaging.reports (
        organization, id, report_number, study_id, radiologist_id, radiologist_name, status, sealed, preliminary_date,
        finalized_date, signed_by, signed_by_id, signed_at, transcribed_by, transcribed_at, template, content_hash,
        written_by, created_at, updated_at)
    values (
        s.organization, (ask->>'id')::uuid, imaging.issue_number('RPT-'), s.id, ask->>'radiologistId',
        ask->>'radiologistName', ask->>'status', jsonb_strip_nulls(ask->'sealed'),
        case when not signed then imaging.clock() end, case when signed then imaging.clock() end,
        case when signed then coalesce(ask->'signature'->>'signedBy', ask->>'radiologistName') end,
        ask->'signature'->>'signedById', case when signed then imaging.clock() end, ask->>'transcribedBy',
        (ask->>'transcribedAt')::timestamptz, ask->>'template', ask->>'contentHash', cx->>'actor', imaging.clock(),
        imaging.clock())
    returning * into r;

    perform reports.keep(cx, case when signed then 'report.sign' else 'report.write' end, r, s);
    perform studies.follow_report(cx, s, ask->'follow');
    perform outbox.append(
        cx, case when signed then 'report.signed' else 'report.written' end, 'report', r.id, r.version);
    return imaging.done(reports.document(r));
end
$$;
