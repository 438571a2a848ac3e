-- studies.change: lock the order and the study, check, change the study, and let the order follow
create or replace function studies.change(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    s := studies.lock(cx, (ask->>'id')::uuid);
    if s.id is null then
        return imaging.refuse('not_found');
    end if;
    refusal := coalesce(
        imaging.refused_row(ask, s.facility_id, s.provider_id, s.patient_id),
        imaging.refused_version(ask, s.version),
        case when ask ? 'status' then imaging.refused_step(ask, s.status) end,
        case
            when ask->>'status' = 'COMPLETED' and s.number_of_instances = 0 then imaging.refuse('no_images')
            -- The order would be opened again with it, and that it is not once a report of any of its studies is signed.
            when ask->>'status' = 'IN_PROGRESS' and ask->'reopenedFrom' ? s.status and exists (
                select from imaging.reports r
                  join imaging.studies other on other.organization = r.organization and other.id = r.study_id
                 where other.organization = s.organization and other.order_id = s.order_id and ask->'signed' ? r.status
            ) then imaging.refuse('report_signed')
        end);
    if refusal is not null then
        return refusal;
    end if;

    update imaging.studies
       set performing_physician = coalesce(ask->>'performingPhysician', performing_physician),
           operator_name = coalesce(ask->>'operatorName', operator_name),
           station_name = coalesce(ask->>'stationName', station_name),
           study_description = coalesce(ask->>'studyDescription', study_description),
           status = coalesce(ask->>'status', status),
           -- The reason belongs to the step that was taken last.
           sealed = imaging.merge_sealed(
               case when ask ? 'status' then sealed - 'statusReason' else sealed end, ask->'sealed'),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = s.organization and id = s.id
    returning * into s;

    if ask ? 'status' then
        perform orders.follow_study(cx, s.order_id, ask->'follow', ask->'sealed'->>'statusReason');
    end if;
    perform audit.append(
        cx, 'study.change', 'study', s.id, s.version, array[s.patient_id],
        jsonb_build_object('studies', jsonb_build_object('statusReason', ask->'sealed'->'statusReason')));
    perform outbox.append(cx, 'study.changed', 'study', s.id, s.version);
    return imaging.done(studies.document(s));
end
$$;

-- studies.lock: a study with its order locked first, then itself, so that nobody waits for somebody who waits
create or replace function studies.lock(cx jsonb, locked uuid) returns imaging.studies
language plpgsql volatile
as $$
declare
    s imaging.studies;
    locked_order uuid;
begin
    select o.id into locked_order from imaging.orders o
      join imaging.studies mine on mine.organization = o.organization and mine.order_id = o.id
     where mine.organization = cx->>'organization' and mine.id = locked
       for update of o;
    select * into s from imaging.studies where organization = cx->>'organization' and id = locked for update;
    -- An order has taken the study on in the meantime: whoever asks again finds it so.
    if s.order_id is distinct from locked_order then
        raise exception 'the study has got an order' using errcode = 'serialization_failure';
    end if;
    return s;
end
$$;
