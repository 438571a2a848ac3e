-- images.take_removals: blobs of removed images whose time has come. For a while they are the caller's to remove from
-- storage; then, should nobody have said that they are gone, the next one's. A blob that an image has again stays.
create or replace function images.take_removals(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    taken imaging.removals[];
    removal imaging.removals;
    blobs jsonb := '[]';
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    with leased as (
        update imaging.removals
           set due_at = imaging.clock() + make_interval(secs => (ask->>'leaseSeconds')::integer)
         where (organization, blob) in (
            select waiting.organization, waiting.blob from imaging.removals waiting
             where waiting.due_at <= imaging.clock()
             order by waiting.due_at limit (ask->>'most')::integer for update skip locked)
        returning *
    )
    select array_agg(leased::imaging.removals) into taken from leased;
    foreach removal in array coalesce(taken, '{}') loop
        perform imaging.enter(cx || jsonb_build_object('organization', removal.organization));
        if exists (
            select from imaging.images i where i.organization = removal.organization and i.blob = removal.blob and i.status = 'STORED'
        ) then
            delete from imaging.removals r where r.organization = removal.organization and r.blob = removal.blob;
        else
            blobs := blobs || to_jsonb(removal.blob);
        end if;
    end loop;
    return imaging.done(blobs);
end
$$;

-- images.removed: storage has these blobs no longer
create or replace function images.removed(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    gone imaging.removals[];
    removal imaging.removals;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    with deleted as (
        delete from imaging.removals where blob in (select jsonb_array_elements_text(ask->'blobs')) returning *
    )
    select array_agg(deleted::imaging.removals) into gone from deleted;
    foreach removal in array coalesce(gone, '{}') loop
        perform imaging.enter(cx || jsonb_build_object('organization', removal.organization));
        perform audit.append(
            cx || jsonb_build_object('organization', removal.organization),
            'image.erase', 'image', removal.image_id, null, '{}');
    end loop;
    return imaging.done(null);
end
$$;
