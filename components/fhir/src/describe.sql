-- fhir.describe_patient: what another system says of a patient follows in the patient's open studies: those of "studies",
-- for each of which it is sealed. "left" are more of them, yet to be sealed for; "described" names those that are done.
create or replace function fhir.describe_patient(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    study jsonb;
    changed integer := 0;
    remaining jsonb;
begin
    perform imaging.enter(cx);
    for study in select listed from jsonb_array_elements(ask->'studies') as listed order by listed->>'id' loop
        changed := changed + studies.describe(
            cx, (study->>'id')::uuid, ask || jsonb_build_object('sealed', study->'sealed'))::integer;
    end loop;
    -- A file that waits since it says something else of the patient may be right now.
    perform ingest.wake(cx, s.accession_number, s.study_instance_uid)
       from jsonb_array_elements(ask->'studies') as listed
       join imaging.studies s on s.organization = cx->>'organization' and s.id = (listed->>'id')::uuid
      order by s.id;
    select coalesce(jsonb_agg(open.id order by open.id), '[]') into remaining
      from (select s.id from imaging.studies s
             where s.organization = cx->>'organization' and s.patient_id = ask->>'patientId'
               and ask->'open' ? s.status and not ask->'described' ? s.id::text
             order by s.id
             limit 100) as open;
    if remaining = '[]' then
        perform audit.append(cx, 'patient.describe', 'patient', null, null, array[ask->>'patientId']);
    end if;
    return imaging.done(jsonb_build_object('changed', changed, 'left', remaining));
end
$$;
