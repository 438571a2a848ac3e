-- dispatch.describe_patient: what the health record says of a patient goes into the study that was registered without a
-- name, as if it had been sent by itself; and into one that is signed, as long as it has none
create or replace function dispatch.describe_patient(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    described boolean;
begin
    perform imaging.enter(cx);
    s := studies.lock(cx, (ask->>'study')::uuid);
    described := studies.describe(
        cx, s.id,
        ask || case when s.sealed ? 'patientName' then '{}' else jsonb_build_object('open', array[s.status]) end);
    perform ingest.wake(cx, s.accession_number, s.study_instance_uid);
    return imaging.done(jsonb_build_object('described', described));
end
$$;

-- dispatch.tell_care_team: who cares for the patient of a finding is told of it as well, each once: those who were not told
-- yet, while nobody has taken it on
create or replace function dispatch.tell_care_team(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    f imaging.findings;
    others text[];
begin
    perform imaging.enter(cx);
    f := findings.lock(cx, (ask->>'finding')::uuid);
    if f.id is null or f.acknowledged_at is not null then
        return imaging.done('{"told": []}');
    end if;
    others := array(
        select member from jsonb_array_elements_text(ask->'members') as member where member <> all(f.notified_to)
                and member is distinct from f.reported_by_id);
    if others <> '{}' then
        perform findings.tell(cx, f, others);
        perform outbox.append(
            cx, 'finding.shared', 'finding', f.id, f.version, jsonb_build_object('recipients', to_jsonb(others)));
    end if;
    return imaging.done(jsonb_build_object('told', to_jsonb(others)));
end
$$;
