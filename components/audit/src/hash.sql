-- audit.hash_of: how many events a batch holds, and the hash that seals them and, through the batch before, all earlier
-- ones: SHA-256 of the batch's own numbers, the hash before it, and the SHA-256 of every event in the order of the
-- transactions. An event's text is its row as JSON, all columns but those that are null: a column that is added later leaves
-- it as it was. It must not differ from one session or cluster to another: hence the time zone and the collation.
create or replace function audit.hash_of(
    number bigint, starts bigint, ends bigint, previous text, out events bigint, out hash text
)
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
    select count(*),
           encode(sha256(
               convert_to(concat_ws('/', number, starts, ends, count(*), previous), 'UTF8')
               || coalesce(string_agg(
                    sha256(convert_to(jsonb_strip_nulls(to_jsonb(e))::text, 'UTF8')), ''::bytea
                    order by e.transaction, e.organization collate "C", e.id), '')), 'hex')
      from imaging.audit_events e
     where e.transaction >= starts and e.transaction < ends
$$;

-- audit.published: a batch as storage keeps it, to the letter
create or replace function audit.published(b imaging.audit_batches) returns text
language sql stable
as $$
    select jsonb_build_object(
        'number', b.number,
        'from', b.starts,
        'to', b.ends,
        'events', b.events,
        'previous', b.previous,
        'hash', b.hash,
        'sealedAt', imaging.iso(b.sealed_at))::text
$$;

-- audit.blob_of: what a batch is called in storage: in the order of the names, they are in the order of the chain
create or replace function audit.blob_of(b imaging.audit_batches) returns text
language sql immutable
as $$ select 'audit/' || lpad(b.number::text, 12, '0') || '.json' $$;
