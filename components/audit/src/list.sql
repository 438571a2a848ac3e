-- audit.matching: the events that a list asks for
create or replace function audit.matching(cx jsonb, ask jsonb) returns setof imaging.audit_events
language sql stable
as $$
    select e.*
      from imaging.audit_events e
     where e.organization = cx->>'organization'
       and (ask->>'patientId' is null or e.id = any(array(
            select p.event_id from imaging.audit_patients p
             where p.organization = cx->>'organization' and p.patient_id = ask->>'patientId')))
       and (ask->>'actor' is null or e.actor = ask->>'actor')
       and (ask->>'resource' is null or e.resource = ask->>'resource')
       and (ask->>'resourceId' is null or e.resource_id = (ask->>'resourceId')::uuid)
       and (ask->>'action' is null or e.action = ask->>'action')
       and (ask->>'outcome' is null or e.outcome = ask->>'outcome')
       and (ask->>'emergency' is null or e.emergency = (ask->>'emergency')::boolean)
       -- The ids of a millisecond lie between these two: so a time is found by the key.
       and (ask->>'from' is null or e.at >= (ask->>'from')::timestamptz
            and e.id >= audit.id_at((ask->>'from')::timestamptz, '70008000000000000000'))
       and (ask->>'to' is null or e.at <= (ask->>'to')::timestamptz
            and e.id <= audit.id_at((ask->>'to')::timestamptz, '7fffbfffffffffffffff'))
       and (ask->>'cursor' is null or e.id < (ask->>'cursor')::uuid)
$$;

-- audit.id_at: the id of a moment that ends in these digits
create or replace function audit.id_at(moment timestamptz, digits text) returns uuid
language sql immutable
as $$
    select (lpad(to_hex(greatest(floor(extract(epoch from moment) * 1000)::bigint, 0)), 12, '0') || digits)::uuid
$$;

-- audit.list: a page of events, newest first. Who looks at whom is audited as well.
create or replace function audit.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
begin
    perform imaging.enter(cx);
    -- A plan that is good for any question would read everything.
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
    if (ask->>'counted')::boolean then
        select count(*) into total from audit.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(audit.document(page.e) order by (page.e).id desc), '[]')
      into documents
      from (select e from audit.matching(cx, ask) as e
             order by e.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;

    perform audit.append(
        cx, 'audit.list', 'audit', null, null, array[ask->>'patientId'], null,
        ask - '{patientId,counted,limit,offset,cursor}'::text[]);
    return imaging.page_of('events', documents, total);
end
$$;

-- audit.document: an event as the wire shows it. The guest opens the reasons, each sealed for an id of its own.
create or replace function audit.document(e imaging.audit_events) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', e.id,
        'at', imaging.iso(e.at),
        'actor', e.actor,
        'role', e.role,
        'action', e.action,
        'outcome', e.outcome,
        'code', e.code,
        'resource', e.resource,
        'resourceId', e.resource_id,
        'resourceVersion', e.resource_version,
        'patientIds', e.patient_ids,
        'detail', e.detail,
        'emergency', e.emergency,
        'source', e.source,
        'requestId', e.request_id,
        'trace', e.trace,
        'reasons', jsonb_build_object(
            'reason', jsonb_build_object('id', e.resource_id, 'parts', e.sealed - 'emergencies'),
            'emergencyReason', jsonb_build_object(
                'id', e.request_id, 'parts', jsonb_build_object('emergencies', e.sealed->'emergencies'))))
$$;
