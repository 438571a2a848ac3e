-- findings.awaiting: the findings that nobody has acknowledged, after the cursor's when they are read by key
create or replace function findings.awaiting(cx jsonb, ask jsonb) returns setof imaging.findings
language sql stable
as $$
    select f.*
      from imaging.findings f
      join imaging.studies s on s.organization = f.organization and s.id = f.study_id
     where f.organization = cx->>'organization'
       and f.acknowledged_at is null
       and findings.reaches(ask->'reach', f, s)
       and (ask->>'cursor' is null or (f.due_at, f.id) > (
            select last.due_at, last.id from imaging.findings last
             where last.organization = cx->>'organization' and last.id = (ask->>'cursor')::uuid))
$$;

-- findings.pending: a page of the findings that nobody has acknowledged, the most urgent deadline first
create or replace function findings.pending(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    total bigint;
    documents jsonb;
    patients text[];
begin
    perform imaging.enter(cx);
    if (ask->>'counted')::boolean then
        select count(*) into total from findings.awaiting(cx, ask);
    end if;
    select coalesce(jsonb_agg(findings.document(page.f) order by (page.f).due_at, (page.f).id), '[]'),
           array_agg(distinct s.patient_id)
      into documents, patients
      from (select f from findings.awaiting(cx, ask) as f
             order by f.due_at, f.id
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as page
      join imaging.studies s on s.organization = (page.f).organization and s.id = (page.f).study_id;

    perform audit.append(cx, 'finding.list', 'finding', null, null, patients);
    return imaging.page_of('findings', documents, total);
end
$$;
