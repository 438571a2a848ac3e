-- outbox.append: what other systems have to be told, with the change itself, or not at all
create or replace function outbox.append(
    cx jsonb, topic text, resource text, resource_id uuid, resource_version integer
) returns void
language sql volatile
as $$
    insert into imaging.outbox (
        organization, topic, resource, resource_id, resource_version, due_at, created_at)
    values (
        cx->>'organization', topic, resource, resource_id, resource_version, imaging.clock(), imaging.clock())
$$;
