-- The audit, ready to be read by auditors and sealed in batches.

-- imaging.issue_id: a UUIDv7 (RFC 9562 5.7) of a moment, so that newest first is by id
create function imaging.issue_id(moment timestamptz default clock_timestamp()) returns uuid
language sql volatile
as $$
    select (lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0')
        || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- What was written until now is every organization's, and this file acts for none.
alter table imaging.audit_events no force row level security;

alter table imaging.audit_events
    add column event_id uuid,
    -- The number of the transaction that wrote it, by which events are sealed: see audit.transaction.
    add column transaction bigint;
update imaging.audit_events
   set event_id = imaging.issue_id(at), transaction = pg_current_xact_id()::text::bigint;
alter table imaging.audit_events drop constraint audit_events_pkey;
alter table imaging.audit_events drop column id;
alter table imaging.audit_events rename column event_id to id;
alter table imaging.audit_events
    alter column id set not null,
    alter column transaction set not null,
    add primary key (organization, id),
    -- Why it was refused, as the reply said it: "forbidden", "not_found" and so on.
    add column code text,
    -- What else belongs to the act and is about no patient, such as the hash of what was signed.
    add column detail jsonb not null default '{}',
    -- The caller broke the glass (DICOM PS3.15 A.5.3, event type 110127): the reason lies in "sealed".
    add column emergency boolean not null default false;

-- Which patients an event is about, once more, to find it by: written with the event, never alone. An index over the
-- event's own list cannot be used under row level security, since what compares lists is not leakproof.
create table imaging.audit_patients (
    organization text not null check (organization <> '*'),
    patient_id text not null,
    event_id uuid not null,
    primary key (organization, patient_id, event_id)
);

insert into imaging.audit_patients (organization, patient_id, event_id)
select e.organization, patient, e.id
  from imaging.audit_events e, unnest(e.patient_ids) as patient
on conflict do nothing;

drop index imaging.audit_events_of_patient;
drop index imaging.audit_events_of_resource;
create index audit_events_of_actor on imaging.audit_events (organization, actor, id desc);
create index audit_events_of_resource on imaging.audit_events (organization, resource, id desc);
create index audit_events_of_resource_id on imaging.audit_events (organization, resource_id, id desc);
create index audit_events_of_emergencies on imaging.audit_events (organization, id desc) where emergency;
create index audit_events_by_transaction on imaging.audit_events (transaction);

alter table imaging.audit_events force row level security;
alter table imaging.audit_patients enable row level security;
alter table imaging.audit_patients force row level security;
create policy own_organization on imaging.audit_patients using (organization = imaging.organization());
-- Sealing and verifying read the events of every organization, and change none.
create policy every_organization on imaging.audit_events for select using (imaging.organization() = '*');
create policy every_organization on imaging.audit_patients for select using (imaging.organization() = '*');

-- One chain for the whole database, which is what is restored, or tampered with, as a whole. A batch belongs to no
-- organization and says nothing of any: from which transaction to which, how many events, and their hash.
create table imaging.audit_batches (
    number bigint primary key check (number > 0),
    -- The events of the transactions from "starts" up to, and without, "ends".
    starts bigint not null,
    ends bigint not null,
    events bigint not null check (events > 0),
    previous text not null,
    hash text not null,
    -- What has to be added to a transaction's own number since then: see audit.seal.
    shift bigint not null,
    sealed_at timestamptz not null,
    published_at timestamptz,
    check (starts < ends)
);

create index audit_batches_unpublished on imaging.audit_batches (number) where published_at is null;

alter table imaging.audit_batches enable row level security;
alter table imaging.audit_batches force row level security;
create policy everybody on imaging.audit_batches for select using (true);
create policy every_organization on imaging.audit_batches using (imaging.organization() = '*');

alter table imaging.outbox alter column resource_version drop not null;

-- The functions of 0.1.0 go on until all of them are replaced, which is after this is committed: what they write is whole.
-- audit.sql drops it.
drop function if exists audit.append(jsonb, text, text, uuid, integer, text[], jsonb, text);
create function audit.append(
    cx jsonb, action text, resource text, resource_id uuid, resource_version integer, patient_ids text[],
    sealed jsonb default null, outcome text default 'SUCCESS'
) returns void
language plpgsql volatile
as $$
declare
    event uuid := imaging.issue_id(imaging.clock());
begin
    insert into imaging.audit_events (
        organization, id, transaction, at, actor, role, action, outcome, resource, resource_id, resource_version,
        patient_ids, sealed, source, request_id, trace)
    values (
        cx->>'organization', event, pg_current_xact_id()::text::bigint, imaging.clock(), cx->>'actor', cx->>'role', action,
        outcome, resource, resource_id, resource_version, coalesce(patient_ids, '{}'),
        coalesce(jsonb_strip_nulls(sealed), '{}'), cx->>'source', cx->>'requestId', cx->>'trace');
    insert into imaging.audit_patients (organization, patient_id, event_id)
    select distinct cx->>'organization', patient, event from unnest(patient_ids) as patient where patient is not null;
end
$$;
