-- orders.read: one order with its studies, and with their reports and findings as far as the caller may read them
create or replace function orders.read(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.orders;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into o from imaging.orders
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    refusal := imaging.refused_row(ask, o.facility_id, o.provider_id, o.patient_id);
    if refusal is not null then
        return refusal;
    end if;

    perform audit.append(cx, 'order.read', 'order', o.id, o.version, array[o.patient_id]);
    return imaging.done(orders.document(o) || jsonb_build_object('studies', coalesce(
        (select jsonb_agg(
                    studies.document(s) || jsonb_build_object(
                        'reports', reports.of_study(s, ask->'reports'),
                        'criticalFindings', findings.of_study(s, ask->'findings'))
                    order by s.id desc)
           from imaging.studies s
          where s.organization = o.organization and s.order_id = o.id
            and imaging.reaches(ask->'studies', s.facility_id, s.provider_id, s.patient_id)),
        '[]')));
end
$$;
