-- fhir.read_order: one order, as a ServiceRequest is made of it
create or replace function fhir.read_order(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.orders;
begin
    perform imaging.enter(cx);
    select * into o from imaging.orders where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if o.id is null or not imaging.reaches(ask->'reach', o.facility_id, o.provider_id, o.patient_id) then
        return imaging.refuse('not_found');
    end if;
    perform audit.append(cx, 'order.read', 'order', o.id, o.version, array[o.patient_id]);
    return imaging.done(orders.exchanged(o));
end
$$;

-- fhir.read_study: one study, as an ImagingStudy is made of it
create or replace function fhir.read_study(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
begin
    perform imaging.enter(cx);
    select * into s from imaging.studies where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if s.id is null or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id) then
        return imaging.refuse('not_found');
    end if;
    perform audit.append(cx, 'study.read', 'study', s.id, s.version, array[s.patient_id]);
    return imaging.done(studies.exchanged(s));
end
$$;

-- fhir.read_report: one report, as a DiagnosticReport is made of it
create or replace function fhir.read_report(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    r imaging.reports;
    s imaging.studies;
begin
    perform imaging.enter(cx);
    select * into r from imaging.reports where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    select * into s from imaging.studies where organization = r.organization and id = r.study_id;
    if r.id is null or not reports.reads(ask->'reach', r, s) then
        return imaging.refuse('not_found');
    end if;
    perform audit.append(cx, 'report.read', 'report', r.id, r.version, array[s.patient_id]);
    return imaging.done(reports.exchanged(r));
end
$$;
