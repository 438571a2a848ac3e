-- studies.read: one study, by its id or by its accession number, with its order, images, reports and findings
create or replace function studies.read(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    if ask ? 'id' then
        select * into s from imaging.studies
         where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    else
        select * into s from imaging.studies
         where organization = cx->>'organization' and accession_number = ask->>'accessionNumber';
    end if;
    if s.id is null then
        return imaging.refuse('not_found');
    end if;
    refusal := imaging.refused_row(ask, s.facility_id, s.provider_id, s.patient_id);
    if refusal is not null and not findings.was_told(ask->'reach', s) then
        return refusal;
    end if;

    perform audit.append(cx, 'study.read', 'study', s.id, s.version, array[s.patient_id]);
    return imaging.done(studies.whole(s, ask));
end
$$;
