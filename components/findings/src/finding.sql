-- findings.document: a finding as the wire shows it; the guest opens what is sealed
create or replace function findings.document(f imaging.findings) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'id', f.id,
        'studyId', f.study_id,
        'reportId', f.report_id,
        'reportContentVersion', f.report_content_version,
        'finding', null,
        'code', null,
        'severity', f.severity,
        'category', f.category,
        'bodyPart', f.body_part,
        'reportedBy', f.reported_by,
        'reportedById', f.reported_by_id,
        'reportedAt', imaging.iso(f.reported_at),
        'notifiedTo', to_jsonb(f.notified_to),
        'notificationSent', f.notification_sent,
        'acknowledgedBy', f.acknowledged_by,
        'acknowledgedById', f.acknowledged_by_id,
        'acknowledgedAt', imaging.iso(f.acknowledged_at),
        'readBack', null,
        'followUpRequired', f.follow_up_required,
        'followUpAction', null,
        'followUpStatus', f.follow_up_status,
        'notes', null,
        'status', f.status,
        'dueAt', imaging.iso(f.due_at),
        'source', f.source,
        'dicom', f.dicom,
        'version', f.version,
        'createdAt', imaging.iso(f.created_at),
        'updatedAt', imaging.iso(f.updated_at),
        'sealed', jsonb_build_object('findings', f.sealed))
$$;

-- findings.with_course: a finding with what became of it: every attempt to tell somebody, who is told next and when,
-- and who has declined it
create or replace function findings.with_course(f imaging.findings) returns jsonb
language sql stable
as $$
    select findings.document(f) || jsonb_build_object(
        'notifications', coalesce(
            (select jsonb_agg(
                        jsonb_build_object(
                            'recipient', n.recipient, 'channel', n.channel, 'at', imaging.iso(n.at),
                            'outcome', n.outcome)
                        order by n.id)
               from imaging.notifications n
              where n.organization = f.organization and n.finding_id = f.id),
            '[]'),
        'escalations', coalesce(
            (select jsonb_agg(
                        jsonb_build_object(
                            'level', e.level, 'kind', e.kind, 'group', e.target_group, 'dueAt', imaging.iso(e.due_at),
                            'firedAt', imaging.iso(e.fired_at), 'stoppedAt', imaging.iso(e.stopped_at))
                        order by e.due_at, e.level)
               from imaging.escalations e
              where e.organization = f.organization and e.finding_id = f.id),
            '[]'),
        'declines', coalesce(
            (select jsonb_agg(
                        jsonb_build_object(
                            'id', d.id, 'declinedBy', d.declined_by, 'declinedAt', imaging.iso(d.declined_at),
                            'reason', null, 'sealed', jsonb_build_object('declines', d.sealed))
                        order by d.id)
               from imaging.declines d
              where d.organization = f.organization and d.finding_id = f.id),
            '[]'))
$$;

-- findings.of_study: the critical findings of a study that the reach covers, newest first, at most "most" when given
create or replace function findings.of_study(s imaging.studies, reach jsonb, most integer default null) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(findings.document(newest.f) order by (newest.f).id desc), '[]')
      from (select f from imaging.findings f
             where f.organization = s.organization and f.study_id = s.id and findings.reaches(reach, f, s)
             order by f.id desc
             limit most) as newest
$$;

-- findings.settled: whether nothing more is to be done; "done" is domain::FOLLOW_UP_DONE
create or replace function findings.settled(required boolean, follow_up_status text, done jsonb) returns boolean
language sql immutable
as $$ select not required or coalesce(done ? upper(follow_up_status), false) $$;
