-- dispatch.forget: what was told long ago, and the events that it was made of. What was given up is kept until somebody has seen
-- to it. Acts across organizations, on so many a call; answers whether there may be more.
create or replace function dispatch.forget(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    before timestamptz := imaging.clock() - make_interval(days => (ask->>'days')::integer);
    deliveries integer;
    events integer;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    delete from imaging.deliveries
     where (organization, id) in (
        select d.organization, d.id from imaging.deliveries d
         where d.state in ('DELIVERED', 'NOT_NEEDED') and d.created_at < before
         order by d.created_at limit (ask->>'most')::integer for update skip locked);
    get diagnostics deliveries = row_count;
    delete from imaging.outbox
     where (organization, id) in (
        select o.organization, o.id from imaging.outbox o
         where o.state = 'DELIVERED' and o.created_at < before
           and not exists (select from imaging.deliveries d where d.organization = o.organization and d.event_id = o.id)
         order by o.created_at limit (ask->>'most')::integer for update skip locked);
    get diagnostics events = row_count;
    return imaging.done(jsonb_build_object('more', greatest(deliveries, events) = (ask->>'most')::integer));
end
$$;
