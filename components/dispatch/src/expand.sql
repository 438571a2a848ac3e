-- dispatch.expand: the deliveries that an event has become, all or none, once. Who is told that a finding was raised may
-- read it from now on; where that is nobody, the next group is told at once. Of a finding that is no longer one of "open",
-- since somebody has taken it on, nobody is told any more: what was not sent yet is not needed. Where a channel is "left",
-- its deliveries could not be made: the event waits on, for that channel only.
create or replace function dispatch.expand(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.outbox;
    f imaging.findings;
    told boolean;
    asks boolean;
    hastened boolean := false;
begin
    perform imaging.enter(cx);
    select * into o from imaging.outbox
     where organization = cx->>'organization' and id = (ask->>'event')::bigint;
    if o.resource = 'finding' then
        f := findings.lock(cx, o.resource_id);
    end if;
    select * into o from imaging.outbox
     where organization = cx->>'organization' and id = (ask->>'event')::bigint and state = 'PENDING'
       for update;
    if not found then
        return imaging.done('{"told": false}');
    end if;

    told := f.id is null or ask->'open' ? f.status;
    if not told then
        update imaging.deliveries
           set state = 'NOT_NEEDED', sealed = '{}'
         where organization = f.organization and finding_id = f.id and state = 'PENDING';
    elsif o.topic = 'finding.raised' then
        perform findings.tell(cx, f, array(select jsonb_array_elements_text(ask->'recipients')));
        if ask->'recipients' = '[]' then
            perform findings.hasten(cx, f.id);
            hastened := true;
        end if;
    end if;
    insert into imaging.deliveries (
        organization, id, event_id, channel, topic, resource, resource_id, resource_version, finding_id, recipient, line,
        made_at, urgency, due_at, sealed, created_at)
    select o.organization, (d->>'id')::uuid, o.id, d->>'channel', o.topic, o.resource, o.resource_id, o.resource_version,
           case when d->>'channel' = 'NOTIFICATION' then f.id end, d->>'recipient',
           coalesce(d->>'line', concat_ws('/', o.resource_id, d->>'recipient')),
           coalesce((ask->>'takenAt')::timestamptz, imaging.clock()),
           case when f.id is null then 2 when f.severity = 'CRITICAL' then 0 else 1 end,
           imaging.clock(), d->'sealed', imaging.clock()
      from jsonb_array_elements(ask->'deliveries') as d
     where told
       -- Of what is put in one place of the health record only what is newer than what was made before.
       and not exists (
            select from imaging.deliveries newer
             where newer.organization = o.organization and newer.channel = d->>'channel' and newer.line = d->>'line'
               and newer.made_at > (ask->>'takenAt')::timestamptz);
    for asks in
        select distinct (d->>'asks')::boolean from jsonb_array_elements(ask->'deliveries') as d
         where told and d->>'channel' = 'EHR'
    loop
        perform audit.append(
            cx, case when asks then 'record.ask' else 'record.tell' end, o.resource, o.resource_id, o.resource_version,
            audit.patients_of(o.organization, array[coalesce((o.detail->>'studyId')::uuid, o.resource_id)]));
    end loop;
    -- Had it been given up, this is what came of trying it again.
    update imaging.deliveries
       set state = 'NOT_NEEDED'
     where organization = o.organization and event_id = o.id and state = 'PENDING' and last_code = ask->>'notMade'
       and ask->>'left' is null;
    update imaging.outbox
       set state = case when ask->>'left' is null then 'DELIVERED' else state end,
           detail = detail || jsonb_strip_nulls(jsonb_build_object('only', ask->'left'))
     where organization = o.organization and id = o.id;
    perform dispatch.follow_event(o);
    return imaging.done(jsonb_build_object('told', told, 'hastened', hastened));
end
$$;

-- dispatch.give_up: nothing comes of an event however often it is taken, and it is in the way of others no longer. It is
-- listed as one delivery, by which a person has it tried again.
create or replace function dispatch.give_up(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.outbox;
begin
    perform imaging.enter(cx);
    update imaging.outbox
       set state = 'DEAD'
     where organization = cx->>'organization' and id = (ask->>'event')::bigint and state = 'PENDING'
    returning * into o;
    if not found then
        return imaging.done(null);
    end if;
    update imaging.deliveries
       set state = 'DEAD'
     where organization = o.organization and event_id = o.id and state = 'PENDING' and last_code = ask->>'code';
    if not found then
        insert into imaging.deliveries (
            organization, id, event_id, channel, topic, resource, resource_id, resource_version, line, made_at, state,
            attempts, due_at, last_code, created_at)
        values (
            o.organization, (ask->>'delivery')::uuid, o.id, ask->>'channel', o.topic, o.resource, o.resource_id,
            o.resource_version, o.resource_id, imaging.clock(), 'DEAD', o.attempts, imaging.clock(), ask->>'code',
            imaging.clock());
    end if;
    perform dispatch.follow_event(o);
    return imaging.done(null);
end
$$;

-- dispatch.follow_event: the event that waited behind another of its resource need not wait any longer
create or replace function dispatch.follow_event(o imaging.outbox) returns void
language sql volatile
as $$
    update imaging.outbox
       set due_at = imaging.clock()
     where organization = o.organization and id = (dispatch.first_event(o.organization, o.resource_id)).id
       and id <> o.id and attempts = 0 and due_at > imaging.clock()
$$;
