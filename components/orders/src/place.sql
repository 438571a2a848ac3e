-- orders.place: a new order; its accession number is the given one, or a new one. Images of a given one may have come
-- before it: the study that they made is the order's from now on, and those that were held are filed.
create or replace function orders.place(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    placed imaging.orders;
    accession text;
begin
    perform imaging.enter(cx);
    perform orders.lock_accession(cx->>'organization', ask->>'accessionNumber');
    loop
        accession := coalesce(ask->>'accessionNumber', imaging.issue_number('ACC-'));
        -- A study may have been given a number of its own by hand: it is not an order's any more.
        if not exists (
            select from imaging.studies s
             where s.organization = cx->>'organization' and s.accession_number = accession
               and not (s.order_id is null and s.patient_id = ask->>'patientId')
        ) then
            insert into imaging.orders (
                organization, id, order_number, accession_number, patient_id, provider_id, facility_id, priority,
                modality, body_part, urgency, transport_required, contrast_allergy, status, scheduled_at,
                requested_by, requested_at, sealed, created_at, updated_at)
            values (
                cx->>'organization', (ask->>'id')::uuid, imaging.issue_number('IMG-'), accession, ask->>'patientId',
                ask->>'providerId', ask->>'facilityId', ask->>'priority', ask->>'modality', ask->>'bodyPart',
                ask->>'urgency', (ask->>'transportRequired')::boolean, (ask->>'contrastAllergy')::boolean, 'PENDING',
                (ask->>'scheduledAt')::timestamptz, cx->>'actor', imaging.clock(), ask->'sealed', imaging.clock(),
                imaging.clock())
            on conflict do nothing
            returning * into placed;
        end if;
        exit when placed.id is not null;
        -- A number that we issue may have been given to another order or study by hand: issue the next.
        if ask->>'accessionNumber' is not null then
            return imaging.refuse('duplicate', jsonb_build_object('field', 'accessionNumber'));
        end if;
    end loop;

    perform audit.append(cx, 'order.place', 'order', placed.id, placed.version, array[placed.patient_id]);
    perform outbox.append(cx, 'order.placed', 'order', placed.id, placed.version);
    if ask->>'accessionNumber' is not null then
        perform studies.adopt(cx, placed, ask);
        perform ingest.wake(cx, ask->>'accessionNumber', null);
        select * into placed from imaging.orders where organization = placed.organization and id = placed.id;
    end if;
    return imaging.done(orders.with_studies(placed));
end
$$;

-- orders.lock_accession: of those that would make an order or a study of an accession number, or of a Study Instance UID, one
-- comes after the other.
-- It comes before all other locks.
create or replace function orders.lock_accession(owner text, accession text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended('accession/' || owner || '/' || accession, 0)) $$;
