-- dispatch.retry: a delivery that was given up is tried again, now and as often as a new one; of one that was never made,
-- its event is
create or replace function dispatch.retry(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    d imaging.deliveries;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into d from imaging.deliveries
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    refusal := imaging.refused_step(ask, d.state);
    if refusal is not null then
        return refusal;
    end if;

    update imaging.deliveries
       set state = 'PENDING', attempts = 0, due_at = imaging.clock()
     where organization = d.organization and id = d.id
    returning * into d;
    if d.last_code = ask->>'notMade' then
        update imaging.outbox
           set state = 'PENDING', attempts = 0, due_at = imaging.clock()
         where organization = d.organization and id = d.event_id;
    end if;
    perform audit.append(
        cx, 'delivery.retry', 'delivery', d.id, null, audit.patients_of(d.organization, array[d.id]));
    return imaging.done(dispatch.document(d));
end
$$;
