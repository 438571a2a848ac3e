-- ingest.matching: the uploads that a list asks for
create or replace function ingest.matching(cx jsonb, ask jsonb) returns setof imaging.uploads
language sql stable
as $$
    select u.*
      from imaging.uploads u
     where u.organization = cx->>'organization'
       and (ask->>'status' is null or u.status = ask->>'status')
       and (ask->>'studyId' is null or u.study_id = (ask->>'studyId')::uuid)
       and (ask->>'imageId' is null or u.image_id = (ask->>'imageId')::uuid)
       and (ask->>'cursor' is null or u.id < (ask->>'cursor')::uuid)
$$;

-- ingest.list: a page of uploads, newest first
create or replace function ingest.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    studies uuid[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from ingest.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(ingest.document(page.u) order by (page.u).id desc), '[]'), array_agg((page.u).study_id)
      into documents, studies
      from (select u from ingest.matching(cx, ask) as u
             order by u.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;
    perform audit.append(
        cx, 'upload.list', 'upload', null, null, audit.patients_of(cx->>'organization', studies));
    return imaging.page_of('ingests', documents, total);
end
$$;
