-- images.annotate: put new metadata, which the guest has merged and sealed, in the place of the version it read
create or replace function images.annotate(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    i imaging.images;
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into i from imaging.images
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    select * into s from imaging.studies
     where organization = cx->>'organization' and id = i.study_id;
    if s.id is null or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id, s.status) then
        return imaging.refuse('not_found');
    end if;
    refusal := imaging.refused_version(ask, i.version);
    if refusal is not null then
        return refusal;
    end if;

    update imaging.images
       set sealed = imaging.merge_sealed(sealed, ask->'sealed'), version = version + 1, updated_at = imaging.clock()
     where organization = i.organization and id = i.id
    returning * into i;
    perform audit.append(cx, 'image.annotate', 'image', i.id, i.version, array[s.patient_id]);
    return imaging.done(images.whole(i, s));
end
$$;
