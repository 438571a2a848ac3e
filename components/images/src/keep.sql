-- images.lock_instance: one transaction at a time acts on a SOP Instance UID, be there a row of it yet or not
create or replace function images.lock_instance(organization text, sop_instance_uid text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended(organization || '/' || sop_instance_uid, 0)) $$;

-- images.keep: the row of an image whose blob is complete and read, or what stands in its way.
-- The caller holds the locks of the order, the study and the instance. Answers {"kept": id}, {"duplicate": id} or {"conflict": [fields]};
-- or {"announced": id} when the image has a row already that what is sealed has to be sealed for.
create or replace function images.keep(cx jsonb, s imaging.studies, u imaging.uploads, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    i imaging.images;
begin
    select * into i from imaging.images
     where organization = s.organization and sop_instance_uid = ask->>'sopInstanceUID'
       for update;
    if found and i.study_id <> s.id then
        return jsonb_build_object('conflict', array['studyInstanceUID'], 'image', i.id);
    end if;
    if found and i.series_instance_uid <> ask->>'seriesInstanceUID' then
        return jsonb_build_object('conflict', array['seriesInstanceUID'], 'image', i.id);
    end if;
    if found and i.status = 'STORED' then
        if i.content_md5 = ask->>'contentMD5' and i.file_size = (ask->>'size')::bigint then
            return jsonb_build_object('duplicate', i.id);
        end if;
        return jsonb_build_object('conflict', array['content'], 'image', i.id);
    end if;
    if found and i.id <> (ask->>'imageId')::uuid then
        return jsonb_build_object('announced', i.id);
    end if;

    insert into imaging.images (
        organization, id, study_id, upload_id, blob, status, series_instance_uid, sop_instance_uid, sop_class_uid,
        transfer_syntax_uid, series_number, instance_number, attributes, file_size, content_md5,
        sealed, created_at, updated_at)
    values (
        s.organization, (ask->>'imageId')::uuid, s.id, u.id, u.blob, 'STORED', ask->>'seriesInstanceUID',
        ask->>'sopInstanceUID', ask->>'sopClassUID', ask->>'transferSyntaxUID',
        coalesce((ask->>'seriesNumber')::integer, 0), coalesce((ask->>'instanceNumber')::integer, 0),
        ask->'attributes', (ask->>'size')::bigint, ask->>'contentMD5',
        ask->'imageSealed', imaging.clock(), imaging.clock())
    -- It was announced: what the file says stands from now on, but for what only the announcement said.
    on conflict (organization, sop_instance_uid) do update
       set upload_id = excluded.upload_id,
           blob = excluded.blob,
           status = 'STORED',
           sop_class_uid = excluded.sop_class_uid,
           transfer_syntax_uid = excluded.transfer_syntax_uid,
           series_number = coalesce((ask->>'seriesNumber')::integer, imaging.images.series_number),
           instance_number = coalesce((ask->>'instanceNumber')::integer, imaging.images.instance_number),
           attributes = imaging.images.attributes || excluded.attributes,
           file_size = excluded.file_size,
           content_md5 = excluded.content_md5,
           sealed = imaging.images.sealed || excluded.sealed,
           version = imaging.images.version + 1,
           updated_at = imaging.clock()
     where imaging.images.id = excluded.id and imaging.images.status = 'EXPECTED'
    returning * into i;
    if not found then
        raise exception 'a stored image would be overwritten';
    end if;
    perform audit.append(cx, 'image.store', 'image', i.id, i.version, array[s.patient_id]);
    return jsonb_build_object('kept', i.id);
end
$$;
