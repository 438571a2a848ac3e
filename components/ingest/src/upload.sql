-- ingest.document: what became of an upload, as the wire shows it
create or replace function ingest.document(u imaging.uploads) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', u.id,
        'status', u.status,
        'reason', u.reason,
        'blob', u.blob,
        'imageId', u.image_id,
        'studyId', u.study_id,
        'differences', u.differences,
        'attempts', u.attempts,
        'receivedAt', imaging.iso(u.received_at),
        'updatedAt', imaging.iso(u.updated_at))
$$;

-- ingest.expect: an upload for an image that was announced. Asked again while nothing has arrived, it is the same one;
-- when what arrived was no good, it is a new one, since a blob is never overwritten.
create or replace function ingest.expect(
    cx jsonb, offer jsonb, before uuid, image uuid, study uuid, sop_instance_uid text
) returns imaging.uploads
language plpgsql volatile
as $$
declare
    u imaging.uploads;
begin
    update imaging.uploads
       set status = 'EXPECTED', reason = null,
           expires_at = imaging.clock() + (offer->>'expectedFor')::interval, updated_at = imaging.clock()
     where organization = cx->>'organization' and id = before and status in ('EXPECTED', 'EXPIRED')
    returning * into u;
    if found then
        return u;
    end if;
    insert into imaging.uploads (
        organization, id, blob, status, facility_id, offered_to, image_id, study_id, announced_sop_instance_uid,
        expires_at, asked_at, created_at, updated_at)
    values (
        cx->>'organization', (offer->>'id')::uuid, offer->>'blob', 'EXPECTED', offer->>'facilityId', cx->>'actor',
        image, study, sop_instance_uid, imaging.clock() + (offer->>'expectedFor')::interval, imaging.clock(),
        imaging.clock(), imaging.clock())
    returning * into u;
    return u;
end
$$;

-- ingest.claim: an upload that is there or awaited, and that an image is now announced for; nothing if there is none.
-- What the same image has claimed before is left as it is: it may be being filed at this moment.
create or replace function ingest.claim(
    cx jsonb, claimed uuid, image uuid, study uuid, sop_instance_uid text
) returns imaging.uploads
language sql volatile
as $$
    with newly as (
        update imaging.uploads
           set image_id = image, study_id = study, announced_sop_instance_uid = sop_instance_uid, reason = null,
               differences = '{}', unreturned = 0, resolution = null,
               status = case status when 'EXPECTED' then 'EXPECTED' else 'RECEIVED' end, updated_at = imaging.clock()
         where organization = cx->>'organization' and id = claimed and image_id is null
           and status in ('EXPECTED', 'RECEIVED', 'CONFLICT', 'EXPIRED')
        returning *
    )
    select * from newly
     union all
    select * from imaging.uploads
     where organization = cx->>'organization' and id = claimed and image_id = image
$$;

-- ingest.withdraw: the image of this upload was deleted; if its bytes have not come, none are expected
create or replace function ingest.withdraw(cx jsonb, withdrawn uuid) returns void
language sql volatile
as $$
    update imaging.uploads
       set status = 'EXPIRED', reason = 'image_deleted', updated_at = imaging.clock()
     where organization = cx->>'organization' and id = withdrawn and status in ('EXPECTED', 'RECEIVED')
$$;

-- ingest.is_awaited: whether what an upload brings is not known yet
create or replace function ingest.is_awaited(owner text, upload uuid) returns boolean
language sql stable
as $$
    select exists (
        select from imaging.uploads
         where organization = owner and id = upload and status in ('EXPECTED', 'RECEIVED', 'EXPIRED'))
$$;
