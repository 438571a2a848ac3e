-- dispatch.take_events: the oldest events that nobody has turned into deliveries, those of findings first, each with what
-- its deliveries are made of. For a while they are the caller's; then, should nothing have come of it, the next one's. Of one
-- resource one at a time, so that its messages come in the order of what happened. What no channel wants is done with, but
-- for what is "kept" until there is one.
create or replace function dispatch.take_events(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    o imaging.outbox;
    first imaging.outbox;
    unwanted integer;
    documents jsonb := '[]';
begin
    perform imaging.enter(cx || '{"organization": "*"}');
    update imaging.outbox
       set state = 'DELIVERED'
     where (organization, id) in (
        select waiting.organization, waiting.id from imaging.outbox waiting
         where waiting.state = 'PENDING' and waiting.due_at <= imaging.clock()
           and not ask->'topics' ? waiting.topic and not coalesce(ask->'kept', '[]') ? waiting.topic
           -- A guest of the release before does not know these, and is not to be done with them.
           and (ask ? 'kept' or waiting.topic not in ('finding.shared', 'report.removed', 'study.unnamed'))
         order by waiting.due_at limit (ask->>'unwanted')::integer for update skip locked);
    get diagnostics unwanted = row_count;

    for o in
        select * from imaging.outbox due
         where due.state = 'PENDING' and due.due_at <= imaging.clock() and ask->'topics' ? due.topic
         order by due.urgency, due.due_at, due.id
         limit 2000
           for update skip locked
    loop
        exit when jsonb_array_length(documents) >= (ask->>'most')::integer;
        first := dispatch.first_event(o.organization, o.resource_id);
        if first.id <> o.id then
            -- It is not looked at again before the first is, or for a moment, as a delivery in its line.
            update imaging.outbox
               set due_at = least(first.due_at, imaging.clock() + interval '2 seconds')
             where organization = o.organization and id = o.id and first.due_at > imaging.clock();
            continue;
        end if;
        update imaging.outbox
           set due_at = imaging.clock() + make_interval(secs => (ask->>'leaseSeconds')::integer), attempts = attempts + 1
         where organization = o.organization and id = o.id
        returning * into o;
        perform imaging.enter(cx || jsonb_build_object('organization', o.organization));
        documents := documents || dispatch.event_document(o, ask);
        perform imaging.enter(cx || '{"organization": "*"}');
    end loop;
    return imaging.done(jsonb_build_object(
        'events', documents,
        'more', unwanted = (ask->>'unwanted')::integer));
end
$$;

-- dispatch.first_event: the first event of a resource that still waits; asked for as dispatch.first_in_line does, and why
create or replace function dispatch.first_event(owner text, of_resource uuid) returns imaging.outbox
language plpgsql stable
as $$
declare
    first imaging.outbox;
begin
    select * into first from imaging.outbox o
     where o.organization = owner and o.resource_id = of_resource and coalesce(o.state, '') = 'PENDING'
     order by o.id
     limit 1;
    return first;
end
$$;

-- dispatch.event_document: an event, and what is said of it to whom; of those that the health record is told of
-- ("exchanged") what it is told, as it is now; of those on which it is asked something ("asked") of whom. A message that carries neither patient nor finding is
-- made without them, so that it can be made whatever becomes of the keys.
create or replace function dispatch.event_document(o imaging.outbox, ask jsonb) returns jsonb
language plpgsql stable
as $$
declare
    settings jsonb := coalesce((findings.settings_in_force(o.organization)).document, ask->'defaults');
    f imaging.findings;
    s imaging.studies;
    r imaging.reports;
    placed imaging.orders;
    named boolean := (settings->>'messagesCarryPatientAndFinding')::boolean;
    recipients text[] := '{}';
begin
    select * into f from imaging.findings where organization = o.organization and id = o.resource_id;
    select * into r from imaging.reports where organization = o.organization and id = o.resource_id;
    select * into s from imaging.studies
     where organization = o.organization and id = coalesce(
            f.study_id, r.study_id, (o.detail->>'studyId')::uuid, o.resource_id);
    select * into placed from imaging.orders
     where organization = o.organization and id = coalesce(s.order_id, o.resource_id);
    case o.topic
        when 'finding.raised' then recipients := findings.recipients_when_raised(f, s);
        when 'finding.escalated', 'finding.shared' then
            recipients := array(select jsonb_array_elements_text(o.detail->'recipients'));
        when 'report.amended' then recipients := dispatch.readers_of(r, s);
        when 'study.images_after_report' then recipients := array(
            select newest.radiologist_id from imaging.reports newest
             where newest.organization = s.organization and newest.study_id = s.id
             order by newest.id desc limit 1);
        when 'access.emergency' then
            recipients := array(select jsonb_array_elements_text(settings->'privacyOfficers'));
        else null;
    end case;
    return jsonb_build_object(
        'id', o.id,
        'organization', o.organization,
        'attempts', o.attempts,
        'topic', o.topic,
        'resource', o.resource,
        'resourceId', o.resource_id,
        'resourceVersion', o.resource_version,
        'detail', o.detail,
        'at', imaging.iso(o.created_at),
        'takenAt', imaging.clock(),
        'recipients', to_jsonb(recipients),
        'finding', case when f.id is not null then jsonb_build_object(
            'id', f.id, 'severity', f.severity, 'category', f.category, 'dueAt', imaging.iso(f.due_at),
            'sealed', case when named then jsonb_build_object('findings', jsonb_strip_nulls(jsonb_build_object(
                'finding', f.sealed->'finding'))) end) end,
        'report', case when r.id is not null then jsonb_build_object(
            'id', r.id, 'reportNumber', r.report_number, 'status', r.status, 'contentVersion', r.content_version) end,
        'study', case when s.id is not null then jsonb_build_object(
            'id', s.id, 'accessionNumber', s.accession_number,
            'patientId', case when named then s.patient_id end,
            'sealed', case when named then jsonb_build_object('studies', jsonb_strip_nulls(jsonb_build_object(
                'patientName', s.sealed->'patientName'))) end) end,
        'access', case when o.topic = 'access.emergency' then (
            select jsonb_build_object('actor', e.actor, 'role', e.role, 'action', e.action, 'at', imaging.iso(e.at))
              from imaging.audit_events e
             where e.organization = o.organization and e.id = o.resource_id) end,
        'exchanged', case when ask->'exchanged' ? o.topic then jsonb_build_object(
            'order', case when placed.id is not null then orders.exchanged(placed) end,
            'study', case when r.id is not null then studies.exchanged(s) end,
            'report', case when r.id is not null then reports.exchanged(r) end,
            'removed', case when o.topic = 'report.removed' then
                o.detail || jsonb_build_object(
                    'study', studies.summary(s), 'order', orders.named(s.organization, s.order_id)) end) end,
        'asked', case when ask->'asked' ? o.topic then jsonb_build_object('patientId', s.patient_id) end);
end
$$;

-- dispatch.readers_of: who has the version of a report before the one that it has now: who ordered the study, who was told of a
-- finding that is in the report or tied to none of the study's, and who has read the report
create or replace function dispatch.readers_of(r imaging.reports, s imaging.studies) returns text[]
language sql stable
as $$
    select findings.with_recipients(
        array_remove(array[s.provider_id], null),
        array(select told from imaging.findings f, unnest(f.notified_to) as told
               where f.organization = r.organization and f.study_id = r.study_id
                 and coalesce(f.report_id, r.id) = r.id
               order by f.id)
        || array(select e.actor from imaging.audit_events e
                  where e.organization = r.organization and e.resource_id = r.id and e.action = 'report.read'
                    and e.outcome = 'SUCCESS' and e.role = any(array['provider', 'radiologist'])
                    and e.actor <> r.radiologist_id
                  order by e.id))
$$;
