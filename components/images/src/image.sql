-- images.document: an image as the wire shows it, without its metadata
create or replace function images.document(i imaging.images) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'seriesDescription', null, 'imageType', null, 'photometricInterpretation', null, 'rows', null,
        'columns', null, 'bitsAllocated', null, 'bitsStored', null, 'pixelSpacing', null, 'sliceThickness', null,
        'sliceLocation', null, 'imagePosition', null, 'imageOrientation', null, 'acquisitionDate', null,
        'acquisitionTime', null, 'contentDate', null, 'contentTime', null, 'windowCenter', null,
        'windowWidth', null)
        || i.attributes
        || jsonb_build_object(
            'id', i.id,
            'studyId', i.study_id,
            'seriesInstanceUID', i.series_instance_uid,
            'sopInstanceUID', i.sop_instance_uid,
            'sopClassUID', i.sop_class_uid,
            'transferSyntaxUID', i.transfer_syntax_uid,
            'seriesNumber', i.series_number,
            'instanceNumber', i.instance_number,
            'storageUrl', i.blob,
            'thumbnailUrl', i.thumbnail_url,
            'fileSize', i.file_size,
            'status', i.status,
            'version', i.version,
            'createdAt', imaging.iso(i.created_at),
            'updatedAt', imaging.iso(i.updated_at))
$$;

-- images.of_study: the first images of a study, by series number, then instance number
create or replace function images.of_study(s imaging.studies, reach jsonb, most integer) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(images.document(i) order by
                        i.series_number, i.series_instance_uid, i.instance_number, i.id), '[]')
      from (select * from imaging.images i
             where i.organization = s.organization and i.study_id = s.id
               and imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id, s.status)
             order by i.series_number, i.series_instance_uid, i.instance_number, i.id
             limit most) as i
$$;

-- images.count_of_study: how many images of a study the caller may see
create or replace function images.count_of_study(s imaging.studies, reach jsonb) returns bigint
language sql stable
as $$
    select count(*) from imaging.images i
     where i.organization = s.organization and i.study_id = s.id
       and imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id, s.status)
$$;
