-- reports.list_of_study: the reports of a study that the caller may read, newest first
create or replace function reports.list_of_study(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
begin
    perform imaging.enter(cx);
    select * into s from imaging.studies
     where organization = cx->>'organization' and id = (ask->>'studyId')::uuid;
    if s.id is null or not (imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id)
            or findings.was_told(ask->'reach', s)) then
        return imaging.refuse('not_found');
    end if;

    perform audit.append(cx, 'report.list', 'report', null, null, array[s.patient_id]);
    return imaging.done(reports.of_study(s, ask->'reach'));
end
$$;
