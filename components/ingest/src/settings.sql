-- ingest.settings_in_force: an organization's newest settings for what arrives; nothing while it has the defaults
create or replace function ingest.settings_in_force(owner text) returns imaging.ingest_settings
language sql stable
as $$
    select newest.* from imaging.ingest_settings newest
     where newest.organization = owner
     order by newest.version desc
     limit 1
$$;

-- ingest.settings_document: settings as the wire shows them; the defaults are version 0
create or replace function ingest.settings_document(newest imaging.ingest_settings, defaults jsonb) returns jsonb
language sql stable
as $$
    select coalesce(newest.document, defaults) || jsonb_build_object(
        'version', coalesce(newest.version, 0),
        'changedBy', newest.changed_by,
        'changedAt', imaging.iso(newest.changed_at))
$$;

-- ingest.read_settings: what the organization wants done with what arrives
create or replace function ingest.read_settings(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    newest imaging.ingest_settings;
begin
    perform imaging.enter(cx);
    newest := ingest.settings_in_force(cx->>'organization');
    perform audit.append(
        cx, 'settings.read', 'settings', null, coalesce(newest.version, 0), '{}', null, '{"of": "ingest"}');
    return imaging.done(ingest.settings_document(newest, ask->'defaults'));
end
$$;

-- ingest.change_settings: a new version in the place of the one in force, which is kept
create or replace function ingest.change_settings(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    newest imaging.ingest_settings;
    refusal jsonb;
begin
    perform imaging.enter(cx);
    -- There may be no row to lock yet. Of two at once the second sees the version that the first has made.
    perform pg_advisory_xact_lock(hashtextextended('ingest-settings/' || (cx->>'organization'), 0));
    newest := ingest.settings_in_force(cx->>'organization');
    refusal := imaging.refused_version(ask, coalesce(newest.version, 0));
    if refusal is not null then
        return refusal;
    end if;

    insert into imaging.ingest_settings (organization, version, document, changed_by, changed_at)
    values (
        cx->>'organization', coalesce(newest.version, 0) + 1, ask->'document', cx->>'actor', imaging.clock())
    returning * into newest;
    -- What waits may be welcome now.
    perform ingest.wake(cx, null, null);
    perform audit.append(cx, 'settings.change', 'settings', null, newest.version, '{}', null, '{"of": "ingest"}');
    return imaging.done(ingest.settings_document(newest, null));
end
$$;
