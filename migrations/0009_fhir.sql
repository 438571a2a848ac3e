-- FHIR: what orders are known by to other systems.

create schema fhir;

-- An order that another system has placed is known by its identifiers there. The first is what it is placed once by; of
-- that one, what tells its content from another is kept: a keyed digest, since it is about a patient.
create table imaging.order_identifiers (
    organization text not null check (organization <> '*'),
    system text not null,
    value text not null,
    order_id uuid not null,
    position integer not null check (position >= 1),
    fingerprint text,
    primary key (organization, system, value),
    foreign key (organization, order_id) references imaging.orders (organization, id),
    constraint order_identifiers_position unique (organization, order_id, position),
    constraint order_identifiers_first check ((position = 1) = (fingerprint is not null))
);

create index order_identifiers_by_value on imaging.order_identifiers (organization, value);

alter table imaging.order_identifiers enable row level security;
alter table imaging.order_identifiers force row level security;
create policy own_organization on imaging.order_identifiers using (organization = imaging.organization());
