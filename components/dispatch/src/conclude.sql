-- dispatch.conclude: what came of an attempt. It has arrived, is tried again after a while, or nothing helps. Of a message
-- about a finding the attempt is written on the finding; where it is one of "hasten" that somebody could not be reached,
-- the next group is told now.
create or replace function dispatch.conclude(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    d imaging.deliveries;
    f imaging.findings;
    delivered boolean := ask->>'state' = 'DELIVERED';
    hastened boolean := false;
begin
    perform imaging.enter(cx);
    select * into d from imaging.deliveries
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if d.finding_id is not null then
        f := findings.lock(cx, d.finding_id);
    end if;
    select * into d from imaging.deliveries
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    -- Somebody else has taken it since, and knows better; unless it has arrived.
    if not ask->'from' ? d.state or (not delivered and d.attempts <> (ask->>'attempt')::integer) then
        return imaging.done('{"hastened": false}');
    end if;

    update imaging.deliveries
       set state = ask->>'state',
           last_code = ask->>'code',
           delivered_at = case when delivered then imaging.clock() end,
           sealed = case when delivered then '{}' else sealed end,
           due_at = imaging.clock() + make_interval(secs => coalesce((ask->>'afterSeconds')::numeric, 0)::double precision)
     where organization = d.organization and id = d.id;
    -- Whoever waited behind it need not wait any longer.
    if ask->>'state' <> 'PENDING' then
        update imaging.deliveries
           set due_at = imaging.clock()
         where organization = d.organization and id = (dispatch.first_in_line(d.organization, d.channel, d.line)).id
           and attempts = 0 and due_at > imaging.clock();
    end if;
    if f.id is not null then
        perform findings.attempted(cx, f, d.recipient, d.channel, delivered, ask->'notified');
        -- Who cares for the patient is told beside those who have to see to it.
        if ask->'hasten' ? f.severity and d.topic <> 'finding.shared' then
            select findings.hasten_past(cx, f, coalesce((o.detail->>'level')::integer, 0)) into hastened
              from imaging.outbox o
             where o.organization = d.organization and o.id = d.event_id;
        end if;
    end if;
    return imaging.done(jsonb_build_object('hastened', hastened));
end
$$;
