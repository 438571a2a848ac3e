-- orders.document: an order as the wire shows it; the guest opens what is sealed
create or replace function orders.document(o imaging.orders) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', o.id,
        'orderNumber', o.order_number,
        'accessionNumber', o.accession_number,
        'patientId', o.patient_id,
        'providerId', o.provider_id,
        'facilityId', o.facility_id,
        'priority', o.priority,
        'modality', o.modality,
        'bodyPart', o.body_part,
        'clinicalIndication', null,
        'instructions', null,
        'urgency', o.urgency,
        'transportRequired', o.transport_required,
        'contrastAllergy', o.contrast_allergy,
        'contrastNotes', null,
        'status', o.status,
        'statusReason', null,
        'scheduledAt', imaging.iso(o.scheduled_at),
        'requestedBy', o.requested_by,
        'requestedAt', imaging.iso(o.requested_at),
        'version', o.version,
        'createdAt', imaging.iso(o.created_at),
        'updatedAt', imaging.iso(o.updated_at),
        'sealed', jsonb_build_object('orders', o.sealed))
$$;

-- orders.with_studies: an order and what a list says of its studies
create or replace function orders.with_studies(o imaging.orders) returns jsonb
language sql stable
as $$
    select orders.document(o) || jsonb_build_object('studies', coalesce(
        (select jsonb_agg(
                    jsonb_build_object('id', s.id, 'accessionNumber', s.accession_number, 'status', s.status)
                    order by s.id desc)
           from imaging.studies s
          where s.organization = o.organization and s.order_id = o.id),
        '[]'))
$$;
