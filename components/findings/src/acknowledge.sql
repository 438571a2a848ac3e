-- findings.acknowledge: lock the finding, check, and let one clinician take it on; what was to come is stopped.
-- With nothing more to be done it is closed at once.
create or replace function findings.acknowledge(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    f imaging.findings;
    s imaging.studies;
    refusal jsonb;
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
        case when f.reported_by_id = cx->>'actor' then imaging.refuse('own_finding') end,
        imaging.refused_version(ask, f.version),
        imaging.refused_step(ask, f.status),
        case when ask->'readBackFor' ? f.severity and not ask->'sealed' ? 'readBack' then imaging.refuse(
            'invalid', jsonb_build_object(
                'field', 'readBack', 'message', format('is required for a finding that is %s', f.severity))) end);
    if refusal is not null then
        return refusal;
    end if;

    update imaging.findings
       set acknowledged_by = coalesce(ask->>'acknowledgedBy', cx->>'actor'),
           acknowledged_by_id = cx->>'actor',
           acknowledged_at = imaging.clock(),
           status = case when findings.settled(follow_up_required, follow_up_status, ask->'followUpDone')
                         then 'CLOSED' else 'ACKNOWLEDGED' end,
           sealed = imaging.merge_sealed(sealed, ask->'sealed'),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = f.organization and id = f.id
    returning * into f;
    update imaging.escalations
       set stopped_at = f.acknowledged_at
     where organization = f.organization and finding_id = f.id and fired_at is null;

    perform audit.append(cx, 'finding.acknowledge', 'finding', f.id, f.version, array[s.patient_id]);
    perform outbox.append(cx, 'finding.acknowledged', 'finding', f.id, f.version);
    return imaging.done(findings.with_course(f));
end
$$;
