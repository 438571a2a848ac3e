-- reports.of_radiologist: the reports of one radiologist that a list asks for, each with whose it is
create or replace function reports.of_radiologist(cx jsonb, ask jsonb)
returns table (report imaging.reports, patient_id text)
language sql stable
as $$
    select r, s.patient_id
      from imaging.reports r
      join imaging.studies s on s.organization = r.organization and s.id = r.study_id
     where r.organization = cx->>'organization' and r.radiologist_id = ask->>'radiologistId'
       and reports.reads(ask->'reach', r, s)
       and (ask->>'cursor' is null or r.id < (ask->>'cursor')::uuid)
$$;

-- reports.list_of_radiologist: a page of the reports of one radiologist, newest first
create or replace function reports.list_of_radiologist(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from reports.of_radiologist(cx, ask);
    end if;
    select coalesce(jsonb_agg(reports.document(page.report) order by (page.report).id desc), '[]'),
           array_agg(distinct page.patient_id)
      into documents, patients
      from (select * from reports.of_radiologist(cx, ask) as listed
             order by (listed.report).id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page;

    perform audit.append(cx, 'report.list', 'report', null, null, patients);
    return imaging.page_of('reports', documents, total);
end
$$;
