-- studies.matching: the studies that a list asks for
create or replace function studies.matching(cx jsonb, ask jsonb) returns setof imaging.studies
language sql stable
as $$
    select s.*
      from imaging.studies s
     where s.organization = cx->>'organization'
       and imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id)
       and (ask->>'patientId' is null or s.patient_id = ask->>'patientId')
       and (ask->>'orderId' is null or s.order_id = (ask->>'orderId')::uuid)
       and (ask->>'modality' is null or s.modality = ask->>'modality')
       and (ask->>'status' is null or s.status = ask->>'status')
       and (ask->>'startDate' is null or s.study_date >= (ask->>'startDate')::timestamptz)
       and (ask->>'endDate' is null or s.study_date <= (ask->>'endDate')::timestamptz)
       and (ask->>'cursor' is null or s.id < (ask->>'cursor')::uuid)
$$;

-- studies.listed: a study with what a list says of its order and reports
create or replace function studies.listed(s imaging.studies, ask jsonb) returns jsonb
language sql stable
as $$
    select studies.document(s) || jsonb_build_object(
        'order',
            (select jsonb_build_object('orderNumber', o.order_number, 'priority', o.priority)
               from imaging.orders o
              where o.organization = s.organization and o.id = s.order_id),
        'reports', coalesce(
            (select jsonb_agg(jsonb_build_object('id', report->'id', 'status', report->'status'))
               from jsonb_array_elements(reports.of_study(s, ask->'reports')) as report),
            '[]'))
$$;

-- studies.list: a page of studies, newest first
create or replace function studies.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from studies.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(studies.listed(page.s, ask) order by (page.s).id desc), '[]'),
           array_agg(distinct (page.s).patient_id)
      into documents, patients
      from (select s from studies.matching(cx, ask) as s
             order by s.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;

    perform audit.append(cx, 'study.list', 'study', null, null, patients || (ask->>'patientId'));
    return imaging.page_of('studies', documents, total);
end
$$;
