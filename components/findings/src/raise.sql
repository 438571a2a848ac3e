-- findings.raise: lock the study, check that a finding can be made on it, and add the finding
create or replace function findings.raise(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    r imaging.reports;
    f imaging.findings;
begin
    perform imaging.enter(cx);
    s := studies.lock(cx, (ask->>'studyId')::uuid);
    if s.id is null or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id) then
        return imaging.refuse('invalid', '{"field": "studyId", "message": "is not a study of this organization"}');
    end if;
    if not ask->'studies' ? s.status then
        return imaging.refuse('study_cancelled', jsonb_build_object('current', s.status));
    end if;
    if ask->>'reportId' is not null then
        select * into r from imaging.reports
         where organization = s.organization and id = (ask->>'reportId')::uuid and study_id = s.id;
        if not found then
            return imaging.refuse('invalid', '{"field": "reportId", "message": "is not a report of this study"}');
        end if;
    end if;

    f := findings.add(cx, s, ask || jsonb_build_object('reportContentVersion', r.content_version));
    return imaging.done(findings.with_course(f));
end
$$;

-- findings.add: a new finding of a study, with its deadlines by the organization's settings of this moment, or by the
-- "defaults" of domain::CriticalResults while it has none. The caller holds the study's lock.
create or replace function findings.add(cx jsonb, s imaging.studies, ask jsonb) returns imaging.findings
language plpgsql volatile
as $$
declare
    settings jsonb := coalesce((findings.settings_in_force(s.organization)).document, ask->'defaults');
    plan jsonb := settings->'severities'->(ask->>'severity');
    f imaging.findings;
begin
    insert into imaging.findings (
        organization, id, study_id, report_id, report_content_version, severity, category, body_part, reported_by,
        reported_by_id, reported_at, notified_to, follow_up_required, follow_up_status, status, due_at, source, dicom,
        dicom_key, sealed, created_at, updated_at)
    values (
        s.organization, (ask->>'id')::uuid, s.id, (ask->>'reportId')::uuid, (ask->>'reportContentVersion')::integer,
        ask->>'severity', ask->>'category', ask->>'bodyPart', coalesce(ask->>'reportedBy', cx->>'actor'),
        -- What a file states nobody's token has reported.
        case when ask->>'source' <> 'DICOM' then cx->>'actor' end, imaging.clock(),
        -- Who is told of every finding may read this one, as whoever is named.
        array(select told.who
                from jsonb_array_elements_text(
                        coalesce(ask->'notifiedTo', '[]') || coalesce(settings->'alwaysNotify', '[]'))
                     with ordinality as told(who, place)
               group by told.who
               order by min(told.place)),
        (ask->>'followUpRequired')::boolean, ask->>'followUpStatus', 'OPEN',
        imaging.clock() + make_interval(mins => (plan->>'acknowledgeWithinMinutes')::integer), ask->>'source',
        nullif(ask->'dicom', 'null'), ask->>'key', ask->'sealed', imaging.clock(), imaging.clock())
    returning * into f;

    insert into imaging.escalations (organization, finding_id, level, kind, target_group, due_at)
    select f.organization, f.id, 0, 'TOLD_AGAIN', null,
           f.reported_at + make_interval(mins => (plan->>'toldAgainAfterMinutes')::integer)
     union all
    select f.organization, f.id, planned.level, 'LEVEL', planned.step->>'group',
           f.reported_at + make_interval(mins => (planned.step->>'afterMinutes')::integer)
      from jsonb_array_elements(plan->'levels') with ordinality as planned(step, level);

    perform audit.append(cx, 'finding.raise', 'finding', f.id, f.version, array[s.patient_id]);
    perform outbox.append(cx, 'finding.raised', 'finding', f.id, f.version);
    return f;
end
$$;
