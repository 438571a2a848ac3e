-- reports.amend: what a signed report says from now on and why, signed anew, under the version that the guest has read
create or replace function reports.amend(cx jsonb, ask jsonb) returns jsonb
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
           amended_date = imaging.clock(),
           signed_by = coalesce(ask->'signature'->>'signedBy', radiologist_name),
           signed_by_id = ask->'signature'->>'signedById',
           signed_at = imaging.clock(),
           template = case when ask ? 'template' then ask->>'template' else template end,
           sealed = imaging.merge_sealed(sealed, ask->'sealed'),
           content_hash = ask->>'contentHash',
           content_version = content_version + 1,
           written_by = cx->>'actor',
           version = version + 1,
           updated_at = imaging.clock()
     where organization = r.organization and id = r.id
    returning * into r;

    perform reports.keep(cx, 'report.amend', r, s);
    perform outbox.append(cx, 'report.amended', 'report', r.id, r.version);
    return imaging.done(reports.document(r));
end
$$;
