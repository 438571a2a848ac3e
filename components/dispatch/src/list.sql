-- dispatch.document: a delivery as the wire shows it: nothing of what it says
create or replace function dispatch.document(d imaging.deliveries) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', d.id,
        'topic', d.topic,
        'channel', d.channel,
        'resource', d.resource,
        'resourceId', d.resource_id,
        'recipient', d.recipient,
        'state', d.state,
        'attempts', d.attempts,
        'dueAt', imaging.iso(d.due_at),
        'lastCode', d.last_code,
        'createdAt', imaging.iso(d.created_at),
        'deliveredAt', imaging.iso(d.delivered_at))
$$;

-- dispatch.matching: the deliveries that a list asks for
create or replace function dispatch.matching(cx jsonb, ask jsonb) returns setof imaging.deliveries
language sql stable
as $$
    select d.*
      from imaging.deliveries d
     where d.organization = cx->>'organization'
       and (ask->>'state' is null or d.state = ask->>'state')
       and (ask->>'topic' is null or d.topic = ask->>'topic')
       and (ask->>'resourceId' is null or d.resource_id = (ask->>'resourceId')::uuid)
       and (ask->>'cursor' is null or d.id < (ask->>'cursor')::uuid)
$$;

-- dispatch.list: a page of deliveries, newest first
create or replace function dispatch.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from dispatch.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(dispatch.document(page.d) order by (page.d).id desc), '[]')
      into documents
      from (select d from dispatch.matching(cx, ask) as d
             order by d.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;

    perform audit.append(cx, 'delivery.list', 'delivery', null, null, '{}');
    return imaging.page_of('deliveries', documents, total);
end
$$;
