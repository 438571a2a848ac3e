-- images.read: one image with what it belongs to and its metadata, sealed
create or replace function images.read(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    i imaging.images;
    s imaging.studies;
begin
    perform imaging.enter(cx);
    select * into i from imaging.images
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    select * into s from imaging.studies
     where organization = cx->>'organization' and id = i.study_id;
    if s.id is null or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id, s.status) then
        return imaging.refuse('not_found');
    end if;
    if i.status <> coalesce(ask->>'status', i.status) then
        return imaging.refuse('not_stored');
    end if;

    perform audit.append(cx, ask->>'act', 'image', i.id, i.version, array[s.patient_id]);
    return imaging.done(images.whole(i, s));
end
$$;

-- images.whole: an image with its metadata, sealed, and with what a viewer shows of its study
create or replace function images.whole(i imaging.images, s imaging.studies) returns jsonb
language sql stable
as $$
    select images.document(i) || jsonb_build_object(
        'metadata', null,
        'sealed', jsonb_build_object('images', i.sealed),
        'study', jsonb_build_object(
            'id', s.id,
            'accessionNumber', s.accession_number,
            'patientName', null,
            'modality', s.modality,
            'sealed', jsonb_build_object(
                'studies', jsonb_strip_nulls(jsonb_build_object('patientName', s.sealed->'patientName')))))
$$;
