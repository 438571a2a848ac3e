-- findings.decline: that a finding is not somebody's, once a person. It stays where it is, and the next group is told now;
-- where no group is left that has anybody, all those are told again who have not declined it.
create or replace function findings.decline(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    f imaging.findings;
    s imaging.studies;
    others text[];
    refusal jsonb;
begin
    perform imaging.enter(cx);
    select * into f from imaging.findings
     where organization = cx->>'organization' and id = (ask->>'id')::uuid
       for update;
    if not found then
        return imaging.refuse('not_found');
    end if;
    select * into s from imaging.studies where organization = f.organization and id = f.study_id;
    refusal := coalesce(
        findings.refused_row(ask, f, s),
        imaging.refused_version(ask, f.version),
        imaging.refused_step(ask, f.status));
    if refusal is not null then
        return refusal;
    end if;

    insert into imaging.declines (organization, id, finding_id, declined_by, declined_at, sealed)
    values (f.organization, (ask->>'decline')::uuid, f.id, cx->>'actor', imaging.clock(), ask->'sealed')
    on conflict do nothing;
    if not found then
        return imaging.refuse('already_declined');
    end if;

    if findings.has_somebody_left(f) then
        perform findings.hasten(cx, f.id);
    else
        others := array(
            select told.who from unnest(f.notified_to) with ordinality as told(who, place)
             where told.who not in (select d.declined_by from imaging.declines d
                                     where d.organization = f.organization and d.finding_id = f.id)
             order by told.place);
        perform outbox.append(
            cx, 'finding.escalated', 'finding', f.id, f.version,
            jsonb_build_object('kind', 'TOLD_AGAIN', 'recipients', to_jsonb(others)));
    end if;
    perform audit.append(
        cx, 'finding.decline', 'finding', f.id, f.version, array[s.patient_id],
        jsonb_build_object('findings', ask->'audited'));
    perform outbox.append(cx, 'finding.declined', 'finding', f.id, f.version);
    return imaging.done(findings.with_course(f));
end
$$;
