-- fhir.place_order: place an order under the identifiers that another system gives it, once. Sent again it is the same
-- order, as it is by now; what is sent under the first identifier with another content is another order, and refused. With
-- the "number" of an order it is that order, which was placed already.
create or replace function fhir.place_order(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    known imaging.order_identifiers;
    o imaging.orders;
    answer jsonb;
begin
    perform imaging.enter(cx);
    perform orders.lock_identifiers(cx->>'organization', ask->'identifiers');
    if ask->'number'->>'value' is not null then
        select * into o from imaging.orders
         where organization = cx->>'organization' and order_number = ask->'number'->>'value';
        if not found then
            return imaging.refuse('invalid', jsonb_build_object(
                'field', ask->'number'->'element', 'message', 'is the number of no order here'));
        end if;
        -- Under a number of its own that this order does not have, it is another that was copied from it.
        if o.patient_id <> ask->'order'->>'patientId' or exists (
            select from jsonb_array_elements(ask->'identifiers') as identifier
             where (orders.identified(o.organization, identifier)).order_id is distinct from o.id
        ) then
            return imaging.refuse('identifier_in_use');
        end if;
        perform audit.append(cx, 'order.read', 'order', o.id, o.version, array[o.patient_id]);
        return imaging.done(orders.exchanged(o) || '{"placed": false}');
    end if;
    known := orders.identified(cx->>'organization', ask->'identifiers'->0);
    if known.order_id is not null then
        if known.fingerprint is null or not ask->'fingerprints' ? known.fingerprint then
            return imaging.refuse('identifier_in_use');
        end if;
        select * into o from imaging.orders where organization = known.organization and id = known.order_id;
        perform audit.append(cx, 'order.read', 'order', o.id, o.version, array[o.patient_id]);
        return imaging.done(orders.exchanged(o) || '{"placed": false}');
    end if;
    if exists (
        select from jsonb_array_elements(ask->'identifiers') as identifier
         where (orders.identified(cx->>'organization', identifier)).order_id is not null
    ) then
        return imaging.refuse('identifier_in_use');
    end if;

    answer := orders.place(cx, ask->'order');
    if not answer ? 'done' then
        return answer;
    end if;
    select * into o from imaging.orders
     where organization = cx->>'organization' and id = (answer->'done'->>'id')::uuid;
    perform orders.identify(o.organization, o.id, ask->'identifiers', ask->'fingerprints'->>0);
    return imaging.done(orders.exchanged(o) || '{"placed": true}');
end
$$;

-- fhir.cancel_order: cancel an order as orders.change does, and say what a ServiceRequest is made of
create or replace function fhir.cancel_order(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.orders;
    answer jsonb := orders.change(cx, ask);
begin
    if not answer ? 'done' then
        return answer;
    end if;
    select * into o from imaging.orders where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    return imaging.done(orders.exchanged(o));
end
$$;
