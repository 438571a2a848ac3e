-- findings.raise_stated: the findings that the rules raise about what a structured report states, each with its deadlines.
-- One that was raised of the study before is not raised again, however often its file comes; of a file that was taken out of
-- another study it is, and of other bytes in its place, which have the upload "anew". The caller holds the locks of the study
-- and of the SOP instance.
create or replace function findings.raise_stated(cx jsonb, s imaging.studies, stated jsonb, anew uuid) returns void
language plpgsql volatile
as $$
declare
    finding jsonb;
begin
    for finding in
        select value || jsonb_build_object('key', concat_ws('/', value->>'key', anew))
          from jsonb_array_elements(coalesce(nullif(stated, 'null'), '[]'))
    loop
        if not exists (
            select from imaging.findings f
             where f.organization = s.organization and f.study_id = s.id and f.dicom_key = finding->>'key'
        ) then
            perform findings.add(cx, s, finding);
        end if;
    end loop;
end
$$;
