-- findings.read: one finding with what became of it, and with what its study is
create or replace function findings.read(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    f imaging.findings;
    s imaging.studies;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into f from imaging.findings
     where organization = cx->>'organization' and id = (ask->>'id')::uuid;
    if not found then
        return imaging.refuse('not_found');
    end if;
    select * into s from imaging.studies where organization = f.organization and id = f.study_id;
    refusal := findings.refused_row(ask, f, s);
    if refusal is not null then
        return refusal;
    end if;

    perform audit.append(cx, 'finding.read', 'finding', f.id, f.version, array[s.patient_id]);
    return imaging.done(findings.with_course(f) || jsonb_build_object('study', studies.summary(s)));
end
$$;
