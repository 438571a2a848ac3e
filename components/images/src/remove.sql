-- images.remove: take an image out of its study; its blob is kept for the retention time, then may go
create or replace function images.remove(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    i imaging.images;
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into i from imaging.images
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    s := studies.lock(cx, i.study_id);
    select * into i from imaging.images
     where organization = s.organization and id = i.id
       for update;
    if not found or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id, s.status) then
        return imaging.refuse('not_found');
    end if;
    refusal := coalesce(
        imaging.refused_version(ask, i.version),
        case when (ask->>'onlyBeforeReport')::boolean and exists (
            select from imaging.reports r where r.organization = s.organization and r.study_id = s.id
        ) then imaging.refuse('report_exists') end);
    if refusal is not null then
        return refusal;
    end if;

    delete from imaging.images where organization = i.organization and id = i.id;
    -- What arrived for it and could not be filed under it stays with its upload, until somebody decides.
    insert into imaging.removals (organization, blob, image_id, removed_by, due_at, created_at)
    select i.organization, i.blob, i.id, cx->>'actor',
           imaging.clock() + make_interval(days => (ask->>'retentionDays')::integer), imaging.clock()
     where i.status = 'STORED' or ingest.is_awaited(i.organization, i.upload_id)
    on conflict do nothing;
    perform ingest.withdraw(cx, i.upload_id);
    perform studies.recount(s);
    perform audit.append(cx, 'image.remove', 'image', i.id, i.version, array[s.patient_id]);
    return imaging.done(null);
end
$$;
