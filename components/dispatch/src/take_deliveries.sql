-- dispatch.take_deliveries: what is due on a channel. For a while it is the caller's to send; then, should nobody have said
-- what came of it, the next one's. What is about the same thing and for the same recipient goes in order: only the first
-- that still waits. One that is dead waits for nobody, and nobody for it.
create or replace function dispatch.take_deliveries(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    documents jsonb;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    with leased as (
        update imaging.deliveries
           set due_at = imaging.clock() + make_interval(secs => (ask->>'leaseSeconds')::integer), attempts = attempts + 1
         where (organization, id) in (
            select d.organization, d.id from imaging.deliveries d
             where d.channel = ask->>'channel' and d.state = 'PENDING' and d.due_at <= imaging.clock()
               -- One that was never made waits for its event.
               and d.sealed <> '{}'
               and not exists (
                    select from imaging.deliveries before
                     where before.organization = d.organization and before.resource_id = d.resource_id
                       and before.state = 'PENDING' and (before.event_id, before.id) < (d.event_id, d.id)
                       and before.channel = d.channel and before.recipient is not distinct from d.recipient)
             order by d.due_at limit (ask->>'most')::integer for update skip locked)
        returning *
    )
    select coalesce(jsonb_agg(
                jsonb_build_object(
                    'id', leased.id,
                    'organization', leased.organization,
                    'topic', leased.topic,
                    'resourceId', leased.resource_id,
                    'attempt', leased.attempts,
                    'trace', (select o.trace from imaging.outbox o
                               where o.organization = leased.organization and o.id = leased.event_id),
                    'sealed', jsonb_build_object('deliveries', leased.sealed))
                order by leased.event_id, leased.id), '[]')
      into documents from leased;
    return imaging.done(documents);
end
$$;
