-- fhir.acknowledge: a clinician has acknowledged a finding elsewhere: as findings.acknowledge, in the clinician's name. Said
-- again it changes nothing. Who has said so is in the audit as well.
create or replace function fhir.acknowledge(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    clinician text := ask->>'clinician';
    f imaging.findings;
    s imaging.studies;
    refusal jsonb;
    answer jsonb;
    again boolean;
begin
    perform imaging.enter(cx);
    f := findings.lock(cx, (ask->'acknowledgement'->>'id')::uuid);
    if f.id is null then
        return imaging.refuse('not_found');
    end if;
    select * into s from imaging.studies where organization = f.organization and id = f.study_id;
    again := f.acknowledged_by_id is not distinct from clinician;
    refusal := coalesce(
        findings.refused_row(ask->'acknowledgement', f, s),
        case when ask->>'patientId' <> s.patient_id then imaging.refuse('invalid', jsonb_build_object(
            'field', 'patientId', 'message', 'is not the patient of this finding')) end,
        -- Whoever reported it is told as much below.
        case when not coalesce(
                again or clinician = any(f.notified_to) or clinician = s.provider_id or clinician = f.reported_by_id, false)
             then imaging.refuse('invalid', jsonb_build_object(
                'field', 'clinician', 'message', 'was not told of this finding')) end);
    if refusal is not null then
        return refusal;
    end if;

    answer := case when again then imaging.done(findings.with_course(f)) else findings.acknowledge(
        cx || jsonb_build_object('actor', ask->'clinician'), ask->'acknowledgement') end;
    if answer ? 'done' then
        perform audit.append(
            cx, 'finding.acknowledge_for', 'finding', f.id, (answer->'done'->>'version')::integer, array[s.patient_id],
            null, jsonb_build_object('clinician', clinician, 'again', again));
    end if;
    return answer;
end
$$;
