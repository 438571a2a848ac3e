-- reports.read: one report with what it is of, and with its versions by number
create or replace function reports.read(cx jsonb, ask jsonb) returns jsonb
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
    return imaging.done(reports.document(r) || jsonb_build_object(
        'study', studies.summary(s),
        'versions', reports.versions_of(r, s, ask->'reach')));
end
$$;

-- reports.read_version: one report as it was in one of its versions. Whoever may not read it as it is may not read it
-- as it was, and of what was not signed yet the same holds as of what is not signed yet.
create or replace function reports.read_version(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    r imaging.reports;
    s imaging.studies;
    v imaging.report_versions;
begin
    perform imaging.enter(cx);
    select * into r from imaging.reports where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    select * into s from imaging.studies where organization = r.organization and id = r.study_id;
    select * into v from imaging.report_versions
     where organization = r.organization and report_id = r.id
       and content_version = (ask->>'contentVersion')::integer;
    if v.report_id is null or not reports.reads(ask->'reach', r, s)
        or not reports.reads(ask->'reach', reports.as_of(v), s) then
        return imaging.refuse('not_found');
    end if;

    perform audit.append(
        cx, 'report.read_version', 'report', r.id, v.version, array[s.patient_id], null,
        jsonb_build_object('contentVersion', v.content_version));
    return imaging.done(reports.document(reports.as_of(v)));
end
$$;
