-- What other systems are told: an event of the outbox becomes deliveries, one for each recipient, and each is tried until
-- it has arrived or nothing helps any more.

create schema dispatch;

alter table imaging.outbox
    -- What belongs to the event and is about no patient: of an escalation its level and whom it tells.
    add column detail jsonb not null default '{}',
    -- The trace of the request that made it, which goes on with its messages.
    add column trace text;

-- An event waits while an earlier one of its resource does.
create index outbox_of_resource on imaging.outbox (organization, resource_id, id) where state = 'PENDING';

create table imaging.deliveries (
    organization text not null check (organization <> '*'),
    -- By which the receiver tells one that comes twice.
    id uuid not null,
    -- The event in the outbox, which is the order in which deliveries about one thing go out.
    event_id bigint not null,
    channel text not null check (channel in ('NOTIFICATION', 'EHR')),
    topic text not null,
    resource text not null,
    resource_id uuid not null,
    resource_version integer,
    -- Of a message about a finding: that finding.
    finding_id uuid,
    -- Of a message: whom it is for.
    recipient text,
    state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'DEAD', 'NOT_NEEDED')),
    attempts integer not null default 0,
    -- When it is tried next; while somebody tries it, until when that one has time.
    due_at timestamptz not null,
    -- What the last attempt came to: the status of the reply, or why there was none.
    last_code text,
    -- request: what is sent, the same each time. It goes when it has arrived.
    sealed jsonb not null default '{}',
    created_at timestamptz not null,
    delivered_at timestamptz,
    primary key (organization, id),
    foreign key (organization, event_id) references imaging.outbox (organization, id),
    foreign key (organization, finding_id) references imaging.findings (organization, id),
    constraint deliveries_delivered check ((state = 'DELIVERED') = (delivered_at is not null))
);

create index deliveries_due on imaging.deliveries (channel, due_at) where state = 'PENDING';
create index deliveries_in_order on imaging.deliveries (organization, resource_id, event_id) where state = 'PENDING';
create index deliveries_of_finding on imaging.deliveries (organization, finding_id) where state = 'PENDING';
create index deliveries_by_state on imaging.deliveries (organization, state, id desc);
create index deliveries_of_resource on imaging.deliveries (organization, resource_id, id desc);

alter table imaging.deliveries enable row level security;
alter table imaging.deliveries force row level security;
create policy own_organization on imaging.deliveries using (organization = imaging.organization());

-- The task works for every organization: it looks for what is due across all of them, and then acts for one at a time.
create policy every_organization on imaging.deliveries using (imaging.organization() = '*');
create policy every_organization on imaging.outbox using (imaging.organization() = '*');
create policy every_organization on imaging.escalations using (imaging.organization() = '*');
create policy every_organization on imaging.removals using (imaging.organization() = '*');
create policy every_organization on imaging.idempotency_keys using (imaging.organization() = '*');

create index idempotency_keys_of_all_by_age on imaging.idempotency_keys (created_at);

-- Until now nobody has sent anything, and nobody wants yesterday's messages today; but a finding that nobody has
-- acknowledged is still to be told.
alter table imaging.outbox no force row level security;
alter table imaging.findings no force row level security;
update imaging.outbox o
   set state = 'DELIVERED'
 where not exists (
        select from imaging.findings f
         where o.topic = 'finding.raised' and f.organization = o.organization and f.id = o.resource_id
           and f.acknowledged_at is null);
alter table imaging.outbox force row level security;
alter table imaging.findings force row level security;
