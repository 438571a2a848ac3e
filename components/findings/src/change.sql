-- findings.change: lock the finding, check, and note what is done about it; once that is all, an acknowledged one is
-- closed
create or replace function findings.change(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    f imaging.findings;
    s imaging.studies;
    refusal jsonb;
    follow_up text;
begin
    perform imaging.enter(cx);
    select * into f from imaging.findings
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    select * into s from imaging.studies where organization = f.organization and id = f.study_id;
    refusal := coalesce(
        findings.refused_row(ask, f, s),
        imaging.refused_version(ask, f.version),
        case when not ask->'changeable' ? f.status
             then imaging.refuse('closed', jsonb_build_object('current', f.status)) end);
    if refusal is not null then
        return refusal;
    end if;

    follow_up := case when ask ? 'followUpStatus' then ask->>'followUpStatus' else f.follow_up_status end;
    update imaging.findings
       set follow_up_status = follow_up,
           status = case when ask->'closedFrom' ? status
                          and findings.settled(follow_up_required, follow_up, ask->'followUpDone')
                         then 'CLOSED' else status end,
           sealed = imaging.merge_sealed(sealed, ask->'sealed'),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = f.organization and id = f.id
    returning * into f;

    perform audit.append(cx, 'finding.change', 'finding', f.id, f.version, array[s.patient_id]);
    perform outbox.append(cx, 'finding.changed', 'finding', f.id, f.version);
    return imaging.done(findings.with_course(f));
end
$$;

-- findings.leave_report: the report is deleted, and its findings are the study's alone. The caller holds the study's
-- lock.
create or replace function findings.leave_report(cx jsonb, report uuid) returns void
language plpgsql volatile
as $$
declare
    f imaging.findings;
begin
    for f in
        update imaging.findings
           set report_id = null, report_content_version = null, version = version + 1, updated_at = imaging.clock()
         where organization = cx->>'organization' and report_id = report
        returning *
    loop
        perform audit.append(
            cx, 'finding.leave_report', 'finding', f.id, f.version,
            (select array[s.patient_id] from imaging.studies s
              where s.organization = f.organization and s.id = f.study_id));
        perform outbox.append(cx, 'finding.changed', 'finding', f.id, f.version);
    end loop;
end
$$;
