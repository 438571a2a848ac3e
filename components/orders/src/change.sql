-- orders.change: lock the order, check, change it and, when its status moves, what hangs on it
create or replace function orders.change(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.orders;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into o from imaging.orders
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    refusal := coalesce(
        imaging.refused_row(ask, o.facility_id, o.provider_id, o.patient_id),
        imaging.refused_version(ask, o.version),
        case when ask ? 'status' then imaging.refused_step(ask, o.status) end,
        case ask->>'status'
            when 'COMPLETED' then orders.refused_completion(o, ask)
            when 'IN_PROGRESS' then orders.refused_reopening(o, ask)
        end);
    if refusal is not null then
        return refusal;
    end if;

    update imaging.orders
       set priority = coalesce(ask->>'priority', priority),
           scheduled_at = case when ask ? 'scheduledAt' then (ask->>'scheduledAt')::timestamptz else scheduled_at end,
           status = coalesce(ask->>'status', status),
           -- The reason belongs to the step that was taken last.
           sealed = imaging.merge_sealed(
               case when ask ? 'status' then sealed - 'statusReason' else sealed end, ask->'sealed'),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = o.organization and id = o.id
    returning * into o;

    if o.status = 'CANCELLED' then
        perform studies.cancel_without_images(cx, o.id, ask->'studies');
    elsif ask ? 'status' then
        -- It may be open again.
        perform ingest.wake(cx, o.accession_number, null);
    end if;
    perform audit.append(
        cx, coalesce(ask->>'act', 'order.change'), 'order', o.id, o.version, array[o.patient_id],
        jsonb_build_object('orders', jsonb_build_object('statusReason', ask->'sealed'->'statusReason')));
    perform outbox.append(cx, 'order.changed', 'order', o.id, o.version);
    return imaging.done(orders.with_studies(o));
end
$$;

-- orders.refused_completion: an order is done when it has studies, and nothing more is expected of any
create or replace function orders.refused_completion(o imaging.orders, ask jsonb) returns jsonb
language sql stable
as $$
    select case
        when count(*) filter (where s.status <> 'CANCELLED') = 0
          or count(*) filter (where not ask->'settled' ? s.status) > 0
        then imaging.refuse('studies_open')
    end
      from imaging.studies s
     where s.organization = o.organization and s.order_id = o.id
$$;

-- orders.refused_reopening: a completed order is reopened only while no report of it is signed
create or replace function orders.refused_reopening(o imaging.orders, ask jsonb) returns jsonb
language sql stable
as $$
    select case
        when o.status = 'COMPLETED' and exists (
            select from imaging.reports r
              join imaging.studies s on s.organization = r.organization and s.id = r.study_id
             where s.organization = o.organization and s.order_id = o.id and ask->'signed' ? r.status
        ) then imaging.refuse('report_signed')
    end
$$;
