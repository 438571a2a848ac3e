-- reports.sign: the signature of a report's own radiologist under what it says, and what that does to its study
create or replace function reports.sign(cx jsonb, ask jsonb) returns jsonb
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

    update imaging.reports
       set status = ask->>'status',
           finalized_date = imaging.clock(),
           signed_by = coalesce(ask->'signature'->>'signedBy', radiologist_name),
           signed_by_id = ask->'signature'->>'signedById',
           signed_at = imaging.clock(),
           content_version = content_version + 1,
           written_by = cx->>'actor',
           version = version + 1,
           updated_at = imaging.clock()
     where organization = r.organization and id = r.id
    returning * into r;

    perform reports.keep(cx, 'report.sign', r, s);
    perform studies.follow_report(cx, s, ask->'follow');
    perform outbox.append(cx, 'report.signed', 'report', r.id, r.version);
    return imaging.done(reports.document(r));
end
$$;
