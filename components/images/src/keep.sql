-- images.lock_instance: one transaction at a time acts on a SOP Instance UID, be there a row of it yet or not
create or replace function images.lock_instance(organization text, sop_instance_uid text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended(organization || '/' || sop_instance_uid, 0)) $$;

-- images.stands_elsewhere: whether an instance, for which a study is to be made, is in another one: stored, or announced, and
-- nobody has decided against that
create or replace function images.stands_elsewhere(u imaging.uploads, ask jsonb) returns boolean
language sql stable
as $$
    select exists (
        select from imaging.images i
         where i.organization = u.organization and i.sop_instance_uid = ask->>'sopInstanceUID'
           and (i.status = 'STORED' or not ingest.is_decided(u)))
$$;

-- images.is_same: whether a stored image has the bytes that arrived; null when only a reader of both can tell, whose verdict
-- is "compared". Storage checks the MD5 of what it is sent in one piece, and knows none of anything else.
create or replace function images.is_same(i imaging.images, ask jsonb) returns boolean
language sql immutable
as $$
    select case
        when i.file_size <> (ask->>'size')::bigint then false
        when i.content_md5 is not null and ask->>'contentMD5' is not null then i.content_md5 = ask->>'contentMD5'
        when ask->'compared'->>'blob' = i.blob then (ask->'compared'->>'same')::boolean
        -- Who cannot compare takes them for two.
        when not ask ? 'compared' then false
    end
$$;

-- images.keep: the row of an image whose blob is complete and read, or what stands in its way.
-- The caller holds the locks of the order, the study and the instance. Answers {"kept": id}, with {"replaced": upload} when a
-- person wants these bytes in the place of others, {"duplicate": id} or {"conflict": [fields]}; or, nothing done,
-- {"announced": id} when the image has a row already that what is sealed has to be sealed for, {"compare": blob} when it
-- takes a reader to tell whether they are the same.
create or replace function images.keep(cx jsonb, s imaging.studies, u imaging.uploads, ask jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    i imaging.images;
    is_same boolean;
    replaced uuid;
begin
    select * into i from imaging.images
     where organization = s.organization and sop_instance_uid = ask->>'sopInstanceUID'
       for update;
    -- Who announced an image may have been wrong about its study or series: a person says so.
    if found and i.study_id <> s.id and (i.status = 'STORED' or not ingest.is_decided(u)) then
        return jsonb_build_object('conflict', array['studyInstanceUID'], 'image', i.id);
    end if;
    if found and i.series_instance_uid <> ask->>'seriesInstanceUID'
        and (i.status = 'STORED' or not ingest.is_decided(u))
    then
        return jsonb_build_object('conflict', array['seriesInstanceUID'], 'image', i.id);
    end if;
    if found and i.status = 'STORED' then
        is_same := images.is_same(i, ask);
        if is_same is null then
            return jsonb_build_object('compare', i.blob);
        elsif is_same then
            return jsonb_build_object('duplicate', i.id);
        elsif not ingest.waives(u, 'instance_exists') or u.resolution->>'former' is distinct from i.upload_id::text then
            return jsonb_build_object('conflict', array['content'], 'image', i.id);
        end if;
        replaced := i.upload_id;
    end if;
    if i.id <> (ask->>'imageId')::uuid then
        return jsonb_build_object('announced', i.id);
    end if;
    if replaced is not null then
        perform images.replace(cx, s, i, u, ask);
        return jsonb_build_object('kept', i.id, 'replaced', replaced);
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
           study_id = excluded.study_id,
           series_instance_uid = excluded.series_instance_uid,
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

-- images.replace: other bytes for a stored image, because a person said which are the right ones. The blob of the former
-- is kept, and so is the id.
create or replace function images.replace(cx jsonb, s imaging.studies, i imaging.images, u imaging.uploads, ask jsonb)
returns void
language plpgsql volatile
as $$
declare
    former uuid := i.upload_id;
begin
    update imaging.images
       set upload_id = u.id,
           blob = u.blob,
           sop_class_uid = ask->>'sopClassUID',
           transfer_syntax_uid = ask->>'transferSyntaxUID',
           series_number = coalesce((ask->>'seriesNumber')::integer, series_number),
           instance_number = coalesce((ask->>'instanceNumber')::integer, instance_number),
           attributes = ask->'attributes',
           file_size = (ask->>'size')::bigint,
           content_md5 = ask->>'contentMD5',
           sealed = sealed || (ask->'imageSealed'),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = i.organization and id = i.id
    returning * into i;
    perform audit.append(
        cx, 'image.replace', 'image', i.id, i.version, array[s.patient_id], null,
        jsonb_build_object('former', former));
end
$$;
