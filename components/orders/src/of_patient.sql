-- orders.of_patient: the orders of one patient that the caller may read, newest first, at most "limit"
create or replace function orders.of_patient(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    documents jsonb;
begin
    perform imaging.enter(cx);
    select coalesce(jsonb_agg(orders.with_studies(newest.o) order by (newest.o).id desc), '[]')
      into documents
      from (select o from orders.matching(cx, ask) as o
             order by o.id desc
             limit (ask->>'limit')::integer) as newest;

    perform audit.append(cx, 'order.list', 'order', null, null, array[ask->>'patientId']);
    return imaging.done(documents);
end
$$;
