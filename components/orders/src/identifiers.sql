-- orders.lock_identifiers: of those that would place an order under one identifier one comes after the other. In one
-- order, so that nobody waits for somebody who waits; it comes before the accession number.
create or replace function orders.lock_identifiers(owner text, identifiers jsonb) returns void
language plpgsql volatile
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('identifier/' || owner || '/' || known::text, 0))
       from (select jsonb_build_array(identifier->>'system', identifier->>'value') as known
               from jsonb_array_elements(identifiers) as identifier
              order by 1) as sorted;
end
$$;

-- orders.identified: what an order is known by under an identifier; a row of nulls when there is none
create or replace function orders.identified(owner text, identifier jsonb) returns imaging.order_identifiers
language sql stable
as $$
    select i.* from imaging.order_identifiers i
     where i.organization = owner and i.system = identifier->>'system' and i.value = identifier->>'value'
$$;

-- orders.identify: what an order is known by to whoever has placed it. The caller holds the identifiers' locks.
create or replace function orders.identify(owner text, identified uuid, identifiers jsonb, fingerprint text) returns void
language sql volatile
as $$
    insert into imaging.order_identifiers (organization, system, value, order_id, position, fingerprint)
    select owner, identifier->>'system', identifier->>'value', identified, position,
           case when position = 1 then fingerprint end
      from jsonb_array_elements(identifiers) with ordinality as listed(identifier, position)
$$;

-- orders.identifiers_of: what an order is known by to others
create or replace function orders.identifiers_of(o imaging.orders) returns jsonb
language sql stable
as $$
    select coalesce(
        jsonb_agg(jsonb_build_object('system', i.system, 'value', i.value) order by i.position), '[]')
      from imaging.order_identifiers i
     where i.organization = o.organization and i.order_id = o.id
$$;

-- orders.exchanged: an order as domain::fhir makes a ServiceRequest of it
create or replace function orders.exchanged(o imaging.orders) returns jsonb
language sql stable
as $$ select orders.document(o) || jsonb_build_object('identifiers', orders.identifiers_of(o)) $$;

-- orders.named: what a resource of a study or a report says of its order
create or replace function orders.named(owner text, named uuid) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', o.id,
        'orderNumber', o.order_number,
        'accessionNumber', o.accession_number,
        'identifiers', orders.identifiers_of(o))
      from imaging.orders o
     where o.organization = owner and o.id = named
$$;

-- orders.called: the orders that an identifier may mean (domain::fhir::Called)
create or replace function orders.called(owner text, called jsonb) returns uuid[]
language sql stable
as $$
    select array(
        select o.id from imaging.orders o
         where called->'kinds' ? 'order-number' and o.organization = owner and o.order_number = called->>'value'
        union
        select o.id from imaging.orders o
         where called->'kinds' ? 'accession-number' and o.organization = owner
           and o.accession_number = called->>'value'
        union
        select i.order_id from imaging.order_identifiers i
         where called->'kinds' ? 'other' and i.organization = owner and i.value = called->>'value'
           and (called->>'system' is null or i.system = called->>'system'))
$$;
