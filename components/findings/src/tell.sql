-- findings.lock: a finding that nobody else changes until this ends, or nothing
create or replace function findings.lock(cx jsonb, locked uuid) returns imaging.findings
language sql volatile
as $$ select * from imaging.findings where organization = cx->>'organization' and id = locked for update $$;

-- findings.recipients_when_raised: who is told that a finding was raised: who is named, who ordered the study, and who has
-- read it last, unless they have reported it themselves; each once
create or replace function findings.recipients_when_raised(f imaging.findings, s imaging.studies) returns text[]
language sql stable
as $$
    select findings.with_recipients(
        f.notified_to,
        array_remove(array_remove(array[
            s.provider_id,
            (select r.radiologist_id from imaging.reports r
              where r.organization = s.organization and r.study_id = s.id
              order by r.id desc limit 1)], null), f.reported_by_id))
$$;

-- findings.tell: who is told of a finding may read it from now on. The caller holds its lock.
create or replace function findings.tell(cx jsonb, f imaging.findings, recipients text[]) returns void
language plpgsql volatile
as $$
begin
    if recipients <@ f.notified_to then
        return;
    end if;
    update imaging.findings
       set notified_to = findings.with_recipients(notified_to, recipients), version = version + 1,
           updated_at = imaging.clock()
     where organization = f.organization and id = f.id
    returning * into f;
    perform audit.append(
        cx, 'finding.tell', 'finding', f.id, f.version, audit.patients_of(f.organization, array[f.id]), null,
        jsonb_build_object('recipients', to_jsonb(recipients)));
end
$$;

-- findings.attempted: that it was tried to tell somebody of a finding, and what came of it. Once somebody was reached, the
-- finding says so; its status becomes NOTIFIED from those of "notified". The caller holds its lock.
create or replace function findings.attempted(
    cx jsonb, f imaging.findings, recipient text, channel text, delivered boolean, notified jsonb
) returns void
language plpgsql volatile
as $$
begin
    insert into imaging.notifications (organization, id, finding_id, recipient, channel, outcome, at)
    values (
        f.organization, imaging.issue_id(imaging.clock()), f.id, recipient, channel,
        case when delivered then 'DELIVERED' else 'FAILED' end, imaging.clock());
    if not delivered or (f.notification_sent and not notified ? f.status) then
        return;
    end if;
    update imaging.findings
       set notification_sent = true, status = case when notified ? status then 'NOTIFIED' else status end,
           version = version + 1, updated_at = imaging.clock()
     where organization = f.organization and id = f.id
    returning * into f;
    perform audit.append(
        cx, 'finding.notify', 'finding', f.id, f.version, audit.patients_of(f.organization, array[f.id]));
end
$$;

-- findings.hasten_past: who was to be told at a level is not reached: the next group is told now, whenever its turn would
-- have been, unless it was told already. The caller holds the finding's lock. Answers whether anybody is.
create or replace function findings.hasten_past(cx jsonb, f imaging.findings, reached integer) returns boolean
language plpgsql volatile
as $$
declare
    next_level integer;
begin
    select min(level) into next_level from imaging.escalations
     where organization = f.organization and finding_id = f.id and kind = 'LEVEL'
       and fired_at is null and stopped_at is null;
    -- Of several who are not reached at one level, the first has seen to it.
    if f.acknowledged_at is not null or next_level is distinct from reached + 1 then
        return false;
    end if;
    perform findings.hasten(cx, f.id);
    return true;
end
$$;
