-- What 0.1.0 called it, without what belongs to an event: two of one name could not be told apart.
drop function if exists outbox.append(jsonb, text, text, uuid, integer);

-- outbox.append: what other systems have to be told, with the change itself, or not at all. "detail" is what belongs to the
-- event and is about no patient.
create or replace function outbox.append(
    cx jsonb, topic text, resource text, resource_id uuid, resource_version integer, detail jsonb default '{}'
) returns void
language sql volatile
as $$
    insert into imaging.outbox (
        organization, topic, resource, resource_id, resource_version, detail, trace, due_at, created_at)
    values (
        cx->>'organization', topic, resource, resource_id, resource_version, detail, cx->>'trace', imaging.clock(),
        imaging.clock())
$$;
