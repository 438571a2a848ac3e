-- findings.matching: the findings that a list asks for
create or replace function findings.matching(cx jsonb, ask jsonb) returns setof imaging.findings
language sql stable
as $$
    select f.*
      from imaging.findings f
      join imaging.studies s on s.organization = f.organization and s.id = f.study_id
     where f.organization = cx->>'organization'
       and findings.reaches(ask->'reach', f, s)
       and (ask->>'studyId' is null or f.study_id = (ask->>'studyId')::uuid)
       and (ask->>'severity' is null or f.severity = ask->>'severity')
       and (ask->>'status' is null or f.status = ask->>'status')
       and (ask->>'cursor' is null or f.id < (ask->>'cursor')::uuid)
$$;

-- findings.list: a page of findings, newest first
create or replace function findings.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from findings.matching(cx, ask);
    end if;
    select coalesce(jsonb_agg(findings.document(page.f) order by (page.f).id desc), '[]'),
           array_agg(distinct s.patient_id)
      into documents, patients
      from (select f from findings.matching(cx, ask) as f
             order by f.id desc
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page
      join imaging.studies s on s.organization = (page.f).organization and s.id = (page.f).study_id;

    perform audit.append(cx, 'finding.list', 'finding', null, null, patients);
    return imaging.page_of('findings', documents, total);
end
$$;
