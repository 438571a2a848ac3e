-- ingest.find_report: where the bytes of a stored image are, and the rules in force for what it may state
create or replace function ingest.find_report(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    i imaging.images;
begin
    perform imaging.enter(cx);
    select * into i from imaging.images
     where organization = cx->>'organization' and id = (ask->>'imageId')::uuid and status = 'STORED';
    if not found then
        return imaging.refuse(
            'invalid', '{"field": "imageId", "message": "is not a stored image of this organization"}');
    end if;
    return imaging.done(jsonb_build_object(
        'blob', i.blob,
        'sopClassUID', i.sop_class_uid,
        'rules', (findings.newest_rules(i.organization)).document));
end
$$;

-- ingest.dry_run: what rules would raise on a stored report, and what of that was raised before. Nothing is raised.
create or replace function ingest.dry_run(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    i imaging.images;
begin
    perform imaging.enter(cx);
    select * into i from imaging.images
     where organization = cx->>'organization' and id = (ask->>'imageId')::uuid;
    if not found then
        return imaging.refuse(
            'invalid', '{"field": "imageId", "message": "is not a stored image of this organization"}');
    end if;

    perform audit.append(
        cx, 'image.dry_run', 'image', i.id, i.version, audit.patients_of(i.organization, array[i.id]), null,
        '{"of": "finding-rules"}');
    return imaging.done(jsonb_build_object(
        'report', ask->'report',
        'raised', (
            select coalesce(jsonb_agg(
                        (stated.finding - 'key') || jsonb_build_object('alreadyRaised', exists (
                            select from imaging.findings f
                             where f.organization = i.organization and f.study_id = i.study_id
                               and f.dicom_key = stated.finding->>'key'))
                        order by stated.place), '[]')
              from jsonb_array_elements(ask->'raised') with ordinality as stated(finding, place))));
end
$$;
