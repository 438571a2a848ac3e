-- fhir.list_orders: a page of orders, newest first
create or replace function fhir.list_orders(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    called uuid[];
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if ask->'called'->>'value' is not null then
        called := orders.called(cx->>'organization', ask->'called');
    end if;
    select coalesce(jsonb_agg(orders.exchanged(page.o) order by (page.o).id desc), '[]'),
           array_agg(distinct (page.o).patient_id)
      into documents, patients
      from (select o from imaging.orders o
             where o.organization = cx->>'organization'
               and imaging.reaches(ask->'reach', o.facility_id, o.provider_id, o.patient_id)
               and (called is null or o.id = any(called))
               and (ask->>'patientId' is null or o.patient_id = ask->>'patientId')
               and (ask->>'cursor' is null or o.id < (ask->>'cursor')::uuid)
             order by o.id desc
             limit (ask->>'limit')::integer) as page;

    perform audit.append(cx, 'order.list', 'order', null, null, patients || (ask->>'patientId'));
    return imaging.done(documents);
end
$$;

-- fhir.list_studies: a page of studies, newest first
create or replace function fhir.list_studies(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    called uuid[];
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if ask->'called'->>'value' is not null then
        called := studies.called(cx->>'organization', ask->'called');
    end if;
    select coalesce(jsonb_agg(studies.exchanged(page.s) order by (page.s).id desc), '[]'),
           array_agg(distinct (page.s).patient_id)
      into documents, patients
      from (select s from imaging.studies s
             where s.organization = cx->>'organization'
               and imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id)
               and (called is null or s.id = any(called))
               and (ask->>'patientId' is null or s.patient_id = ask->>'patientId')
               and (ask->>'cursor' is null or s.id < (ask->>'cursor')::uuid)
             order by s.id desc
             limit (ask->>'limit')::integer) as page;

    perform audit.append(cx, 'study.list', 'study', null, null, patients || (ask->>'patientId'));
    return imaging.done(documents);
end
$$;

-- fhir.list_reports: a page of reports, newest first
create or replace function fhir.list_reports(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    called uuid[];
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if ask->'called'->>'value' is not null then
        called := reports.called(cx->>'organization', ask->'called');
    end if;
    select coalesce(jsonb_agg(reports.exchanged(page.r) order by (page.r).id desc), '[]'),
           array_agg(distinct page.patient_id)
      into documents, patients
      from (select r, s.patient_id from imaging.reports r
              join imaging.studies s on s.organization = r.organization and s.id = r.study_id
             where r.organization = cx->>'organization'
               and reports.reads(ask->'reach', r, s)
               and (called is null or r.id = any(called))
               and (ask->>'patientId' is null or s.patient_id = ask->>'patientId')
               and (ask->>'cursor' is null or r.id < (ask->>'cursor')::uuid)
             order by r.id desc
             limit (ask->>'limit')::integer) as page;

    perform audit.append(cx, 'report.list', 'report', null, null, patients || (ask->>'patientId'));
    return imaging.done(documents);
end
$$;
