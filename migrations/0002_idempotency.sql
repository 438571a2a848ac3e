-- What a POST was answered, so that the same one again is answered the same.

create schema idempotency;

-- One row for each key that a caller has used within the day. An answer is about a patient: it serves no longer,
-- and goes when its organization uses keys again.
create table imaging.idempotency_keys (
    organization text not null check (organization <> '*'),
    actor text not null,
    key text not null check (length(key) between 1 and 255),
    -- A keyed digest of what was asked.
    fingerprint text not null,
    -- As the function answered it, so that what is sealed stays sealed. Null only to the call that is still at it.
    answer jsonb,
    created_at timestamptz not null,
    primary key (organization, actor, key)
);

create index idempotency_keys_by_age on imaging.idempotency_keys (organization, created_at);

alter table imaging.idempotency_keys enable row level security;
alter table imaging.idempotency_keys force row level security;
create policy own_organization on imaging.idempotency_keys using (organization = imaging.organization());
