-- Deliveries wait in lines: what is said to one recipient of one thing, and what is put in one place of the health record,
-- goes in order. What is urgent is taken before what is not.

alter table imaging.deliveries
    -- In which line it waits.
    add column line text,
    -- Of when that is what it says: its place in the line.
    add column made_at timestamptz,
    -- 0 a CRITICAL finding, 1 any other, 2 all else.
    add column urgency smallint not null default 2;

alter table imaging.deliveries no force row level security;
update imaging.deliveries
   set line = concat_ws('/', resource_id, recipient), made_at = created_at,
       urgency = case when finding_id is null then 2 else 1 end;
alter table imaging.deliveries force row level security;

alter table imaging.deliveries
    alter column line set not null,
    alter column made_at set not null;

drop index imaging.deliveries_due;
drop index imaging.deliveries_in_order;
create index deliveries_due on imaging.deliveries (channel, urgency, due_at) where state = 'PENDING';
-- Whole, not of what is pending alone: mostly that is nothing, and a plan made then takes any index of nothing for as good.
create index deliveries_in_line on imaging.deliveries (organization, channel, line, made_at, id);
create index deliveries_of_event on imaging.deliveries (organization, event_id);
create index deliveries_done on imaging.deliveries (created_at) where state in ('DELIVERED', 'NOT_NEEDED');

alter table imaging.outbox
    add column urgency smallint not null generated always as (case when topic like 'finding.%' then 0 else 1 end) stored;

drop index imaging.outbox_due;
drop index imaging.outbox_of_resource;
create index outbox_due on imaging.outbox (urgency, due_at, id) where state = 'PENDING';
create index outbox_in_order on imaging.outbox (organization, resource_id, id);
create index outbox_done on imaging.outbox (created_at) where state = 'DELIVERED';
