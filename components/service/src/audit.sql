-- audit.append: who did what, with the act itself, or not at all. What is sealed lies in it as in the resource's own
-- document, {"<table>": {"<field>": …}}: it opens with the resource's id
create or replace function audit.append(
    cx jsonb, action text, resource text, resource_id uuid, resource_version integer, patient_ids text[],
    sealed jsonb default null, outcome text default 'SUCCESS'
) returns void
language sql volatile
as $$
    insert into imaging.audit_events (
        organization, at, actor, role, action, outcome, resource, resource_id, resource_version, patient_ids,
        sealed, source, request_id, trace)
    values (
        cx->>'organization', imaging.clock(), cx->>'actor', cx->>'role', action, outcome, resource, resource_id,
        resource_version, coalesce(patient_ids, '{}'),
        coalesce(jsonb_strip_nulls(sealed), '{}'),
        cx->>'source', cx->>'requestId', cx->>'trace')
$$;
