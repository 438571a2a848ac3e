-- dispatch.take_deliveries: what is due on a channel, the urgent first. For a while it is the caller's to send; then, should
-- nobody have said what came of it, the next one's. Of each line only the first that still waits; one that is dead waits for
-- nobody, and nobody for it. Of a finding that somebody has taken on nobody is told any more.
create or replace function dispatch.take_deliveries(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    d imaging.deliveries;
    first imaging.deliveries;
    documents jsonb := '[]';
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    -- One that was never made waits for its event.
    for d in
        select * from imaging.deliveries due
         where due.channel = ask->>'channel' and due.state = 'PENDING' and due.due_at <= imaging.clock()
           and due.sealed <> '{}'
         order by due.urgency, due.due_at, due.made_at, due.id
         limit 2000
           for update skip locked
    loop
        exit when jsonb_array_length(documents) >= (ask->>'most')::integer;
        if dispatch.is_taken_on(cx, d) then
            update imaging.deliveries
               set state = 'NOT_NEEDED', sealed = '{}'
             where organization = d.organization and id = d.id;
            continue;
        end if;
        first := dispatch.first_in_line(d.organization, d.channel, d.line);
        if first.id <> d.id then
            -- It is not looked at again before the first is, or for a moment; or when that one is done with. Not for longer:
            -- who is done with the first at this moment does not see that this one was moved.
            update imaging.deliveries
               set due_at = least(first.due_at, imaging.clock() + interval '2 seconds')
             where organization = d.organization and id = d.id and first.due_at > imaging.clock();
            continue;
        end if;
        update imaging.deliveries
           set due_at = imaging.clock() + make_interval(secs => (ask->>'leaseSeconds')::integer), attempts = attempts + 1
         where organization = d.organization and id = d.id
        returning * into d;
        documents := documents || jsonb_build_object(
            'id', d.id,
            'organization', d.organization,
            'topic', d.topic,
            'resourceId', d.resource_id,
            'attempt', d.attempts,
            'trace', (select o.trace from imaging.outbox o where o.organization = d.organization and o.id = d.event_id),
            'sealed', jsonb_build_object('deliveries', d.sealed));
    end loop;
    return imaging.done(documents);
end
$$;

-- dispatch.is_taken_on: whether somebody has acknowledged the finding that a message is about
create or replace function dispatch.is_taken_on(cx jsonb, d imaging.deliveries) returns boolean
language plpgsql volatile
as $$
declare
    taken_on boolean;
begin
    if d.finding_id is null then
        return false;
    end if;
    perform imaging.enter(cx || jsonb_build_object('organization', d.organization));
    select f.acknowledged_at is not null into taken_on from imaging.findings f
     where f.organization = d.organization and f.id = d.finding_id;
    perform imaging.enter(cx || '{"organization": "*"}');
    return coalesce(taken_on, false);
end
$$;

-- dispatch.first_in_line: the first delivery of a line that still waits. Its state is asked for in a way that no index of what
-- is pending can answer: the planner takes such an index for empty, since mostly it is, and reads all of it for each row.
create or replace function dispatch.first_in_line(owner text, of_channel text, of_line text) returns imaging.deliveries
language plpgsql stable
as $$
declare
    first imaging.deliveries;
begin
    select * into first from imaging.deliveries d
     where d.organization = owner and d.channel = of_channel and d.line = of_line and coalesce(d.state, '') = 'PENDING'
     order by d.made_at, d.id
     limit 1;
    return first;
end
$$;
