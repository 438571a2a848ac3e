-- orders.matching: the orders that a list asks for
create or replace function orders.matching(cx jsonb, ask jsonb) returns setof imaging.orders
language sql stable
as $$
    select o.*
      from imaging.orders o
     where o.organization = cx->>'organization'
       and imaging.reaches(ask->'reach', o.facility_id, o.provider_id, o.patient_id)
       and (ask->>'patientId' is null or o.patient_id = ask->>'patientId')
       and (ask->>'providerId' is null or o.provider_id = ask->>'providerId')
       and (ask->>'facilityId' is null or o.facility_id = ask->>'facilityId')
       and (ask->>'status' is null or o.status = ask->>'status')
       and (ask->>'modality' is null or o.modality = ask->>'modality')
       and (ask->>'priority' is null or o.priority = ask->>'priority')
       and (ask->>'startDate' is null or o.requested_at >= (ask->>'startDate')::timestamptz)
       and (ask->>'endDate' is null or o.requested_at <= (ask->>'endDate')::timestamptz)
       and (ask->>'cursor' is null or o.id < (ask->>'cursor')::uuid)
$$;

-- orders.list: a page of orders, newest first
create or replace function orders.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from orders.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(orders.with_studies(page.o) order by (page.o).id desc), '[]'),
           array_agg(distinct (page.o).patient_id)
      into documents, patients
      from (select o from orders.matching(cx, ask) as o
             order by o.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;

    perform audit.append(cx, 'order.list', 'order', null, null, patients || (ask->>'patientId'));
    return imaging.page_of('orders', documents, total);
end
$$;
