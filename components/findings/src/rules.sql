-- findings.newest_rules: an organization's newest rules about what structured reports state; nothing while it has the defaults
create or replace function findings.newest_rules(owner text) returns imaging.finding_rules
language sql stable
as $$
    select newest.* from imaging.finding_rules newest
     where newest.organization = owner
     order by newest.version desc
     limit 1
$$;

-- findings.rules_document: rules as the wire shows them; the defaults are version 0
create or replace function findings.rules_document(newest imaging.finding_rules, defaults jsonb) returns jsonb
language sql stable
as $$
    select coalesce(newest.document, defaults) || jsonb_build_object(
        'version', coalesce(newest.version, 0),
        'changedBy', newest.changed_by,
        'changedAt', imaging.iso(newest.changed_at))
$$;

-- findings.rules_in_force: what ingest raises findings by; an empty document while that is the defaults
create or replace function findings.rules_in_force(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform imaging.enter(cx);
    return imaging.done(coalesce((findings.newest_rules(cx->>'organization')).document, '{}'));
end
$$;

-- findings.read_rules: which statements of structured reports raise a finding
create or replace function findings.read_rules(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    newest imaging.finding_rules;
begin
    perform imaging.enter(cx);
    newest := findings.newest_rules(cx->>'organization');
    perform audit.append(
        cx, 'settings.read', 'settings', null, coalesce(newest.version, 0), '{}', null, '{"of": "finding-rules"}');
    return imaging.done(findings.rules_document(newest, ask->'defaults'));
end
$$;

-- findings.change_rules: a new version in the place of the one in force, which is kept. What was raised before stays.
create or replace function findings.change_rules(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    newest imaging.finding_rules;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    -- There may be no row to lock yet. Of two at once the second sees the version that the first has made.
    perform pg_advisory_xact_lock(hashtextextended('finding-rules/' || (cx->>'organization'), 0));
    newest := findings.newest_rules(cx->>'organization');
    refusal := imaging.refused_version(ask, coalesce(newest.version, 0));
    if refusal is not null then
        return refusal;
    end if;

    insert into imaging.finding_rules (organization, version, document, changed_by, changed_at)
    values (
        cx->>'organization', coalesce(newest.version, 0) + 1, ask->'document', cx->>'actor', imaging.clock())
    returning * into newest;
    perform audit.append(
        cx, 'settings.change', 'settings', null, newest.version, '{}', null, '{"of": "finding-rules"}');
    return imaging.done(findings.rules_document(newest, null));
end
$$;
