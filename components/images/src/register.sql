-- images.register: an image before its bytes arrive, with the upload that they will come by.
-- The same image again answers the same row, so that a client that lost its URL gets a fresh one; but an image that
-- waits for one upload claims no other.
create or replace function images.register(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    i imaging.images;
    u imaging.uploads;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    s := studies.lock(cx, (ask->>'studyId')::uuid);
    if s.id is null then
        return imaging.refuse('not_found');
    end if;
    refusal := imaging.refused_row(ask, s.facility_id, s.provider_id, s.patient_id);
    if refusal is not null then
        return refusal;
    end if;
    if not ask->'open' ? s.status then
        return imaging.refuse('study_cancelled', jsonb_build_object('current', s.status));
    end if;

    perform images.lock_instance(s.organization, ask->>'sopInstanceUID');
    select * into i from imaging.images
     where organization = s.organization and sop_instance_uid = ask->>'sopInstanceUID'
       for update;
    if found and (i.status <> 'EXPECTED' or i.study_id <> s.id
            or i.series_instance_uid <> ask->>'seriesInstanceUID' or i.upload_id <> (ask->>'claim')::uuid) then
        return imaging.refuse('duplicate', '{"field": "sopInstanceUID"}');
    end if;

    if ask->>'claim' is not null then
        u := ingest.claim(
            cx, (ask->>'claim')::uuid, coalesce(i.id, (ask->>'id')::uuid), s.id, ask->>'sopInstanceUID');
        if u.id is null then
            return imaging.refuse(
                'invalid', '{"field": "storageUrl", "message": "is not an upload of this organization that still waits"}');
        end if;
    else
        u := ingest.expect(
            cx, ask->'upload', i.upload_id, coalesce(i.id, (ask->>'id')::uuid), s.id, ask->>'sopInstanceUID');
    end if;

    insert into imaging.images (
        organization, id, study_id, upload_id, blob, status, series_instance_uid, sop_instance_uid, series_number,
        instance_number, transfer_syntax_uid, thumbnail_url, file_size, attributes, sealed, created_at, updated_at)
    values (
        s.organization, (ask->>'id')::uuid, s.id, u.id, u.blob, 'EXPECTED', ask->>'seriesInstanceUID',
        ask->>'sopInstanceUID', (ask->>'seriesNumber')::integer, (ask->>'instanceNumber')::integer,
        ask->>'transferSyntaxUID', ask->>'thumbnailUrl', (ask->>'fileSize')::bigint,
        jsonb_strip_nulls(ask->'attributes'), jsonb_strip_nulls(ask->'sealed'), imaging.clock(), imaging.clock())
    on conflict (organization, sop_instance_uid) do update set upload_id = u.id, blob = u.blob
    returning * into i;

    perform audit.append(cx, 'image.register', 'image', i.id, i.version, array[s.patient_id]);
    return imaging.done(images.document(i));
end
$$;
