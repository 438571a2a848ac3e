-- dispatch.retry: a delivery that was given up is tried again, now and as often as a new one; of one that was never made,
-- its event is. One that would put something older over what the health record was told since is not needed any more.
create or replace function dispatch.retry(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    d imaging.deliveries;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    -- The event is locked before its delivery, as everywhere.
    perform from imaging.outbox o
     where o.organization = cx->>'organization' and o.id = (
            select known.event_id from imaging.deliveries known
             where known.organization = o.organization and known.id = (ask->>'id')::uuid
               and known.last_code = ask->>'notMade')
       for update;
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
       set state = case when dispatch.is_outdated(d) then 'NOT_NEEDED' else 'PENDING' end, attempts = 0,
           due_at = imaging.clock()
     where organization = d.organization and id = d.id
    returning * into d;
    if d.state = 'PENDING' and d.last_code = ask->>'notMade' then
        update imaging.outbox
           set state = 'PENDING', attempts = 0, due_at = imaging.clock()
         where organization = d.organization and id = d.event_id;
    end if;
    perform audit.append(
        cx, 'delivery.retry', 'delivery', d.id, null, audit.patients_of(d.organization, array[d.id]));
    return imaging.done(dispatch.document(d));
end
$$;

-- dispatch.is_outdated: whether the health record was told something newer in the place of a delivery, or is about to be
create or replace function dispatch.is_outdated(d imaging.deliveries) returns boolean
language sql stable
as $$
    select d.channel = 'EHR' and exists (
        select from imaging.deliveries newer
         where newer.organization = d.organization and newer.channel = d.channel and newer.line = d.line
           and newer.made_at > d.made_at and newer.state in ('PENDING', 'DELIVERED'))
$$;
