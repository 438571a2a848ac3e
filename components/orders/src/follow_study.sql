-- orders.follow_study: move an order to where its study has brought it, if the order may go there.
-- "follow" is made by domain::OrderStatus::following: {"status", "from", "settled"}. The caller holds the order's lock.
create or replace function orders.follow_study(cx jsonb, followed uuid, follow jsonb, reason text default null)
returns void
language plpgsql volatile
as $$
declare
    o imaging.orders;
begin
    if followed is null or follow is null or follow = 'null' then
        return;
    end if;
    select * into o from imaging.orders where organization = cx->>'organization' and id = followed for update;
    if not follow->'from' ? o.status or ((follow->'from'->>o.status)::boolean and reason is null) then
        return;
    end if;
    -- Statements of a volatile function see what others have committed meanwhile: with the order locked, of two
    -- studies that are completed at once the second sees the first.
    if follow->>'status' = 'COMPLETED' and orders.refused_completion(o, follow) is not null then
        return;
    end if;

    update imaging.orders
       set status = follow->>'status', version = version + 1, updated_at = imaging.clock()
     where organization = o.organization and id = o.id
    returning * into o;
    perform audit.append(cx, 'order.follow_study', 'order', o.id, o.version, array[o.patient_id]);
    perform outbox.append(cx, 'order.changed', 'order', o.id, o.version);
end
$$;
