-- images.list: the images of a study, or of one of its series
create or replace function images.list(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    documents jsonb;
    total bigint;
begin
    perform imaging.enter(cx);
    select * into s from imaging.studies
     where organization = cx->>'organization' and id = (ask->>'studyId')::uuid;
    if not found or not imaging.reaches(ask->'reach', s.facility_id, s.provider_id, s.patient_id, s.status) then
        return imaging.refuse('not_found');
    end if;

    select count(*) into total
      from imaging.images i
     where i.organization = s.organization and i.study_id = s.id
       and (ask->>'seriesInstanceUID' is null or i.series_instance_uid = ask->>'seriesInstanceUID');
    select coalesce(jsonb_agg(images.document(i) order by
                        i.series_number, i.series_instance_uid, i.instance_number, i.id), '[]')
      into documents
      from (select * from imaging.images i
             where i.organization = s.organization and i.study_id = s.id
               and (ask->>'seriesInstanceUID' is null or i.series_instance_uid = ask->>'seriesInstanceUID')
             order by i.series_number, i.series_instance_uid, i.instance_number, i.id
             limit (ask->>'limit')::integer offset (ask->>'offset')::integer) as i;

    perform audit.append(cx, 'image.list', 'study', s.id, s.version, array[s.patient_id]);
    return imaging.page_of('images', documents, total);
end
$$;
