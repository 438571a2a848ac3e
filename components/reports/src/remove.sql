-- reports.remove: delete a report that nobody has signed; its versions stay, and findings let go of it
create or replace function reports.remove(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    r imaging.reports;
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    r := reports.lock(cx, (ask->>'id')::uuid);
    select * into s from imaging.studies where organization = r.organization and id = r.study_id;
    refusal := reports.refused(ask, r, s);
    if refusal is not null then
        return refusal;
    end if;

    perform findings.leave_report(cx, r.id);
    delete from imaging.reports where organization = r.organization and id = r.id;
    if not exists (select from imaging.reports other
                    where other.organization = s.organization and other.study_id = s.id) then
        perform studies.follow_report(cx, s, ask->'follow');
    end if;
    perform audit.append(cx, 'report.remove', 'report', r.id, r.version, array[s.patient_id]);
    -- The report is not there any more when this is told.
    perform outbox.append(
        cx, 'report.removed', 'report', r.id, r.version,
        jsonb_build_object('reportNumber', r.report_number, 'studyId', r.study_id));
    return imaging.done(null);
end
$$;
