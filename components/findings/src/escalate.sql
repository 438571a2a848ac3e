-- findings.fire_due: every deadline that has passed fires, each once and in its order, also after an outage: who is to be
-- told next is told. Acts across organizations, on so many findings a call; one that somebody else has at this moment is left
-- to the next call. Answers how many have fired, and whether there may be more.
create or replace function findings.fire_due(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    due record;
    looked_at integer := 0;
    fired integer := 0;
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    for due in
        select e.organization, e.finding_id, min(e.due_at) as since
          from imaging.escalations e
         where e.fired_at is null and e.stopped_at is null and e.due_at <= imaging.clock()
         group by e.organization, e.finding_id
         order by since
         limit (ask->>'findings')::integer
    loop
        looked_at := looked_at + 1;
        fired := fired + findings.fire(cx || jsonb_build_object('organization', due.organization), due.finding_id);
    end loop;
    return imaging.done(jsonb_build_object(
        'fired', fired, 'more', fired > 0 and looked_at = (ask->>'findings')::integer));
end
$$;

-- findings.fire: the deadlines of one finding that have passed, one after the other; how many there were. None of one that
-- somebody has acknowledged, or has at this moment.
create or replace function findings.fire(cx jsonb, overdue uuid) returns integer
language plpgsql volatile
as $$
declare
    f imaging.findings;
    s imaging.studies;
    e imaging.escalations;
    recipients text[];
    fired integer := 0;
begin
    perform imaging.enter(cx);
    select * into f from imaging.findings
     where organization = cx->>'organization' and id = overdue and acknowledged_at is null
       for update skip locked;
    if not found then
        return 0;
    end if;
    select * into s from imaging.studies where organization = f.organization and id = f.study_id;
    loop
        select * into e from imaging.escalations
         where organization = f.organization and finding_id = f.id and fired_at is null and stopped_at is null
           and due_at <= imaging.clock()
         order by due_at, level
         limit 1;
        exit when not found;
        recipients := findings.recipients_of(f, e);
        update imaging.escalations
           set fired_at = imaging.clock()
         where organization = f.organization and finding_id = f.id and level = e.level;
        -- Who is told may read it.
        update imaging.findings
           set notified_to = findings.with_recipients(notified_to, recipients), version = version + 1,
               updated_at = imaging.clock()
         where organization = f.organization and id = f.id
        returning * into f;
        fired := fired + 1;
        perform audit.append(
            cx, 'finding.escalate', 'finding', f.id, f.version, array[s.patient_id], null,
            jsonb_build_object('level', e.level));
        perform outbox.append(
            cx, 'finding.escalated', 'finding', f.id, f.version,
            jsonb_build_object(
                'level', e.level, 'kind', e.kind, 'group', e.target_group, 'recipients', to_jsonb(recipients)));
        -- A group of nobody hears nothing: the next one is told at once. Where there is nobody further on either, the next
        -- levels keep their time, by which the organization may have named somebody.
        if recipients = '{}' and findings.has_somebody_left(f) then
            perform findings.hasten(cx, f.id);
        end if;
    end loop;
    return fired;
end
$$;

-- findings.has_somebody_left: whether a level that is still to fire has somebody in its group
create or replace function findings.has_somebody_left(f imaging.findings) returns boolean
language sql stable
as $$
    select exists (
        select from imaging.escalations e
         where e.organization = f.organization and e.finding_id = f.id and e.kind = 'LEVEL'
           and e.fired_at is null and e.stopped_at is null and findings.recipients_of(f, e) <> '{}')
$$;

-- findings.recipients_of: who is told when a deadline passes: those who were told before, or who belongs to the group by the
-- settings of this moment
create or replace function findings.recipients_of(f imaging.findings, e imaging.escalations) returns text[]
language sql stable
as $$
    select case when e.kind = 'TOLD_AGAIN' then f.notified_to else array(
        select jsonb_array_elements_text(
            coalesce((findings.settings_in_force(f.organization)).document->'groups'->e.target_group, '[]'))) end
$$;

-- findings.with_recipients: a list of people with others behind, each once
create or replace function findings.with_recipients(told text[], others text[]) returns text[]
language sql immutable
as $$
    select array(
        select person from unnest(told || others) with ordinality as named(person, place)
         group by person
         order by min(place))
$$;

-- findings.hasten: the next group that is still to be told of a finding is told now, whenever its turn would have been.
-- The caller holds the finding's lock.
create or replace function findings.hasten(cx jsonb, hastened uuid) returns void
language sql volatile
as $$
    update imaging.escalations
       set due_at = least(due_at, imaging.clock())
     where organization = cx->>'organization' and finding_id = hastened and fired_at is null and stopped_at is null
       and level = (
            select min(level) from imaging.escalations
             where organization = cx->>'organization' and finding_id = hastened and kind = 'LEVEL'
               and fired_at is null and stopped_at is null)
$$;
