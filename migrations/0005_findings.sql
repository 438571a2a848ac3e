-- Critical findings: who is told, by when, who answered, and how an organization wants that.

create schema findings;

alter table imaging.findings
    -- Who by the token; reported_by and acknowledged_by are the names that are shown.
    add column reported_by_id text,
    add column acknowledged_by_id text,
    -- The content of the report as it was when the finding was tied to it.
    add column report_content_version integer,
    -- Everybody who is told of it by name: they may read it.
    add column notified_to text[] not null default '{}',
    -- A message has reached one of them.
    add column notification_sent boolean not null default false,
    add constraint findings_acknowledged check ((status in ('OPEN', 'NOTIFIED')) = (acknowledged_at is null));

create index findings_of_report on imaging.findings (organization, report_id) where report_id is not null;
create index findings_by_severity on imaging.findings (organization, severity, id desc);
create index findings_by_status on imaging.findings (organization, status, id desc);
create index findings_by_time on imaging.findings (organization, reported_at);
create index findings_pending on imaging.findings (organization, due_at, id) where acknowledged_at is null;

-- When who is told next. Written with the finding, from the settings of that moment: after an outage each level that is
-- overdue is still there to be fired. Whoever fires one, or stops them, holds the finding's lock.
create table imaging.escalations (
    organization text not null check (organization <> '*'),
    finding_id uuid not null,
    -- 0: those who were told are told again. From 1 on: a group each.
    level integer not null check (level >= 0),
    kind text not null check (kind in ('TOLD_AGAIN', 'LEVEL')),
    -- Who belongs to a group is looked up when it is told, for that changes with the day.
    target_group text check (target_group in ('COVERING_GROUP', 'DEPARTMENT', 'ON_CALL_OPERATOR')),
    due_at timestamptz not null,
    fired_at timestamptz,
    -- Somebody had acknowledged the finding before it fired.
    stopped_at timestamptz,
    primary key (organization, finding_id, level),
    foreign key (organization, finding_id) references imaging.findings (organization, id),
    constraint escalations_kind check ((level = 0) = (kind = 'TOLD_AGAIN') and (level = 0) = (target_group is null)),
    constraint escalations_end check (fired_at is null or stopped_at is null)
);

create index escalations_due on imaging.escalations (due_at) where fired_at is null and stopped_at is null;

-- Every attempt to tell somebody of a finding.
create table imaging.notifications (
    organization text not null check (organization <> '*'),
    id uuid not null,
    finding_id uuid not null,
    recipient text not null,
    channel text not null,
    outcome text not null check (outcome in ('DELIVERED', 'FAILED')),
    at timestamptz not null,
    primary key (organization, id),
    foreign key (organization, finding_id) references imaging.findings (organization, id)
);

create index notifications_of_finding on imaging.notifications (organization, finding_id, id);

-- Who has said that a finding is not theirs.
create table imaging.declines (
    organization text not null check (organization <> '*'),
    id uuid not null,
    finding_id uuid not null,
    declined_by text not null,
    declined_at timestamptz not null,
    -- reason
    sealed jsonb not null default '{}',
    primary key (organization, id),
    foreign key (organization, finding_id) references imaging.findings (organization, id),
    constraint declines_once unique (organization, finding_id, declined_by)
);

-- An organization's domain::CriticalResults, in every version that was ever in force. The newest is.
create table imaging.critical_results_settings (
    organization text not null check (organization <> '*'),
    version integer not null,
    document jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null,
    primary key (organization, version)
);

do $$
declare
    name text;
begin
    foreach name in array array['escalations', 'notifications', 'declines', 'critical_results_settings'] loop
        execute format('alter table imaging.%I enable row level security', name);
        execute format('alter table imaging.%I force row level security', name);
        execute format(
            'create policy own_organization on imaging.%I using (organization = imaging.organization())', name);
    end loop;
end
$$;
