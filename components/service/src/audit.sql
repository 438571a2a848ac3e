-- What 0.1.0 called it, with another last parameter: two of one name could not be told apart.
drop function if exists audit.append(jsonb, text, text, uuid, integer, text[], jsonb, text);

-- audit.append: who did what, with the act itself, or not at all: the event's id. What is sealed lies in it as in the
-- resource's own document, {"<table>": {"<field>": …}}: it opens with the resource's id. An emergency access
-- is also told to the organization's privacy officers.
create or replace function audit.append(
    cx jsonb, action text, resource text, resource_id uuid, resource_version integer, patient_ids text[],
    sealed jsonb default null, detail jsonb default null
) returns uuid
language plpgsql volatile
as $$
declare
    event uuid := audit.write(
        cx, action, 'SUCCESS', null, resource, resource_id, resource_version, patient_ids, sealed, detail);
begin
    if coalesce(cx->'emergency', 'null') <> 'null' then
        perform outbox.append(cx, 'access.emergency', 'audit_event', event, null);
    end if;
    return event;
end
$$;

-- audit.refuse: that somebody was refused, in a call of its own, for the function that refused has changed nothing.
-- "ids" are all that the request named, "id" the one in its path; whose they are is looked up, so that who tried to
-- reach a patient is found as well. A broken glass that opened nothing is nobody's emergency.
create or replace function audit.refuse(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    named uuid := (ask->>'id')::uuid;
    noun text;
begin
    perform imaging.enter(cx);
    if named is null then
        select s.id into named from imaging.studies s
         where s.organization = cx->>'organization' and s.accession_number = ask->>'accessionNumber';
    end if;
    select known.noun into noun from audit.known(cx->>'organization', array[named]) as known;
    perform audit.write(
        cx, ask->>'action', 'REFUSED', ask->>'code', coalesce(noun, split_part(ask->>'action', '.', 1)), named, null,
        audit.patients_of(cx->>'organization', named || array(select jsonb_array_elements_text(ask->'ids')::uuid))
            || array(select jsonb_array_elements_text(ask->'patients')),
        null, null);
    return imaging.done(null);
end
$$;

-- audit.write: the row of an event. The caller's reason for breaking the glass opens with the request's id.
create or replace function audit.write(
    cx jsonb, action text, outcome text, code text, resource text, resource_id uuid, resource_version integer,
    patient_ids text[], sealed jsonb, detail jsonb
) returns uuid
language plpgsql volatile
as $$
declare
    moment timestamptz := imaging.clock();
    event uuid := imaging.issue_id(moment);
    patients text[] := array(select distinct patient from unnest(patient_ids) as patient where patient is not null);
    emergency jsonb := nullif(cx->'emergency', 'null');
begin
    insert into imaging.audit_events (
        organization, id, transaction, at, actor, role, action, outcome, code, resource, resource_id, resource_version,
        patient_ids, sealed, detail, emergency, source, request_id, trace)
    values (
        cx->>'organization', event, audit.transaction(), moment, cx->>'actor', cx->>'role', action, outcome,
        code, resource, resource_id, resource_version, patients,
        jsonb_strip_nulls(coalesce(sealed, '{}') || jsonb_build_object('emergencies', emergency)),
        coalesce(jsonb_strip_nulls(detail), '{}'), emergency is not null,
        cx->>'source', cx->>'requestId', cx->>'trace');
    insert into imaging.audit_patients (organization, patient_id, event_id)
    select cx->>'organization', patient, event from unnest(patients) as patient;
    return event;
end
$$;

-- audit.transaction: this transaction's number in the order in which events are sealed. It is never below what is sealed
-- already, also where a dump was restored into a cluster that has counted less far: see audit.seal.
create or replace function audit.transaction() returns bigint
language plpgsql volatile
as $$
declare
    mine bigint := pg_current_xact_id()::text::bigint;
    last imaging.audit_batches;
begin
    select * into last from imaging.audit_batches order by number desc limit 1;
    return greatest(mine + coalesce(last.shift, 0), coalesce(last.ends, 0));
end
$$;

-- audit.known: those of some ids that are something of an organization's: what, and whose
create or replace function audit.known(organization text, ids uuid[]) returns table (noun text, id uuid, patient_id text)
language sql stable
as $$
    select 'order', o.id, o.patient_id from imaging.orders o
     where o.organization = known.organization and o.id = any(ids)
    union all
    select 'study', s.id, s.patient_id from imaging.studies s
     where s.organization = known.organization and s.id = any(ids)
    union all
    select 'image', i.id, s.patient_id from imaging.images i
      join imaging.studies s on s.organization = i.organization and s.id = i.study_id
     where i.organization = known.organization and i.id = any(ids)
    union all
    select 'upload', u.id, s.patient_id from imaging.uploads u
      left join imaging.studies s on s.organization = u.organization and s.id = u.study_id
     where u.organization = known.organization and u.id = any(ids)
    union all
    select 'report', r.id, s.patient_id from imaging.reports r
      join imaging.studies s on s.organization = r.organization and s.id = r.study_id
     where r.organization = known.organization and r.id = any(ids)
    union all
    select 'finding', f.id, s.patient_id from imaging.findings f
      join imaging.studies s on s.organization = f.organization and s.id = f.study_id
     where f.organization = known.organization and f.id = any(ids)
    union all
    select 'delivery', d.id, s.patient_id from imaging.deliveries d
      left join imaging.findings f on f.organization = d.organization and f.id = d.resource_id
      left join imaging.reports r on r.organization = d.organization and r.id = d.resource_id
      left join imaging.studies s
        on s.organization = d.organization and s.id = coalesce(f.study_id, r.study_id, d.resource_id)
     where d.organization = known.organization and d.id = any(ids)
$$;

-- audit.patients_of: the patients of whatever an organization has under some ids
create or replace function audit.patients_of(organization text, ids uuid[]) returns text[]
language sql stable
as $$
    select coalesce(array_agg(distinct known.patient_id) filter (where known.patient_id is not null), '{}')
      from audit.known(organization, ids) as known
$$;
