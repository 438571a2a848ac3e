-- reports.change: what a report that nobody has signed says from now on, under the version that the guest has read
create or replace function reports.change(cx jsonb, ask jsonb) returns jsonb
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
       set radiologist_id = coalesce(ask->>'radiologistId', radiologist_id),
           radiologist_name = coalesce(ask->>'radiologistName', radiologist_name),
           transcribed_by = case when ask ? 'transcribedBy' then ask->>'transcribedBy' else transcribed_by end,
           transcribed_at =
               case when ask ? 'transcribedAt' then (ask->>'transcribedAt')::timestamptz else transcribed_at end,
           template = case when ask ? 'template' then ask->>'template' else template end,
           sealed = imaging.merge_sealed(sealed, ask->'sealed'),
           content_hash = ask->>'contentHash',
           content_version = content_version + 1,
           written_by = cx->>'actor',
           version = version + 1,
           updated_at = imaging.clock()
     where organization = r.organization and id = r.id
    returning * into r;

    perform reports.keep(cx, 'report.change', r, s);
    perform outbox.append(cx, 'report.changed', 'report', r.id, r.version);
    return imaging.done(reports.document(r));
end
$$;

-- reports.content: what a report says, for the guest to put a change into it. It is shown to nobody, and so is no
-- reading.
create or replace function reports.content(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    r imaging.reports;
    s imaging.studies;
begin
    perform imaging.enter(cx);
    select * into r from imaging.reports where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    select * into s from imaging.studies where organization = r.organization and id = r.study_id;
    return coalesce(reports.refused_row(ask, r, s), imaging.done(reports.document(r)));
end
$$;
