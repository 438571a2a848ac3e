-- images.series_of: the series of a study with the first of its stored instances, at most "most" in all
create or replace function images.series_of(s imaging.studies, most integer) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(series.document order by series.number, series.uid), '[]')
      from (select min(i.series_number) as number,
                   i.series_instance_uid as uid,
                   jsonb_build_object(
                       'uid', i.series_instance_uid,
                       'number', min(i.series_number),
                       'description', min(i.attributes->>'seriesDescription'),
                       'numberOfInstances', min(i.of_series),
                       'instances', jsonb_agg(
                           jsonb_build_object(
                               'uid', i.sop_instance_uid, 'sopClassUID', i.sop_class_uid, 'number', i.instance_number)
                           order by i.instance_number, i.id)) as document
              from (select stored.*, count(*) over (partition by stored.series_instance_uid) as of_series
                      from imaging.images stored
                     where stored.organization = s.organization and stored.study_id = s.id and stored.status = 'STORED'
                     order by stored.series_number, stored.series_instance_uid, stored.instance_number, stored.id
                     limit most) as i
             group by i.series_instance_uid) as series
$$;
