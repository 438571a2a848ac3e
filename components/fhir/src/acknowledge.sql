-- fhir.acknowledge: a clinician has acknowledged a finding elsewhere: as findings.acknowledge, in the clinician's name.
-- Who has said so is in the audit as well.
create or replace function fhir.acknowledge(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    answer jsonb := findings.acknowledge(cx || jsonb_build_object('actor', ask->'clinician'), ask->'acknowledgement');
begin
    if answer ? 'done' then
        perform audit.append(
            cx, 'finding.acknowledge_for', 'finding', (answer->'done'->>'id')::uuid,
            (answer->'done'->>'version')::integer,
            audit.patients_of(cx->>'organization', array[(answer->'done'->>'id')::uuid]),
            null, jsonb_build_object('clinician', ask->'clinician'));
    end if;
    return answer;
end
$$;
