-- What every function of a family begins with, and the words it refuses with.

-- imaging.enter: from here on, the statement sees the rows of one organization only
create or replace function imaging.enter(cx jsonb) returns void
language plpgsql
as $$
begin
    if coalesce(cx->>'organization', '') = '' then
        raise exception 'no organization in the context';
    end if;
    perform set_config('imaging.organization', cx->>'organization', true);
end
$$;

-- imaging.clock: the time, which a test may have set forward
create or replace function imaging.clock() returns timestamptz
language sql stable
as $$ select statement_timestamp() + coalesce((select max(shift) from imaging.clock_shift), interval '0') $$;

-- imaging.iso: a moment as the wire writes it
create or replace function imaging.iso(moment timestamptz) returns text
language sql stable
as $$ select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- imaging.reaches: whether a caller's reach (domain::Reach) covers a row; a reach that is null covers nothing
create or replace function imaging.reaches(
    reach jsonb, facility text, provider text, patient text, status text default null
) returns boolean
language sql immutable
as $$
    select coalesce((reach->>'everything')::boolean, false)
        or coalesce(reach->'facilities' ? facility, false)
        or coalesce(reach->>'provider' = provider, false)
        or coalesce(reach->>'patient' = patient and (not reach ? 'statuses' or reach->'statuses' ? status), false)
$$;

-- imaging.refuse: what a function answers instead of acting; service::Refusal holds it
create or replace function imaging.refuse(code text, detail jsonb default '{}') returns jsonb
language sql immutable
as $$ select jsonb_build_object('refused', code) || detail $$;

-- imaging.done: what a function answers when it has acted
create or replace function imaging.done(document jsonb) returns jsonb
language sql immutable
as $$ select jsonb_build_object('done', document) $$;

-- imaging.refused_step: the refusal of a step from a status, or null when the step may be taken.
-- The ask's "from" names the statuses it may be taken from, each with whether that needs a reason.
create or replace function imaging.refused_step(ask jsonb, status text) returns jsonb
language sql immutable
as $$
    select case
        when not ask->'from' ? status then imaging.refuse('transition', jsonb_build_object('current', status))
        when (ask->'from'->>status)::boolean and coalesce(ask->'sealed'->>'statusReason', '') = ''
            then imaging.refuse('reason_required')
    end
$$;

-- imaging.refused_version: the refusal of a change when the current version is not one of those it is meant for, or null
create or replace function imaging.refused_version(ask jsonb, version integer) returns jsonb
language sql immutable
as $$
    select case
        when ask->>'ifVersion' is not null and not ask->'ifVersion' @> to_jsonb(version)
            then imaging.refuse('stale', jsonb_build_object('version', version))
    end
$$;

-- imaging.page_of: the frame of one page of a list
create or replace function imaging.page_of(name text, documents jsonb, total bigint) returns jsonb
language sql immutable
as $$ select imaging.done(jsonb_build_object(name, documents, 'total', total)) $$;

-- imaging.refused_row: the refusal of an act on a row, or null. What the caller may not even read is not there;
-- what the caller may read but not change is forbidden. "within" holds the reach of every right that the act needs.
create or replace function imaging.refused_row(ask jsonb, facility text, provider text, patient text) returns jsonb
language sql immutable
as $$
    select case
        when not imaging.reaches(ask->'reach', facility, provider, patient) then imaging.refuse('not_found')
        when exists (
            select from jsonb_array_elements(coalesce(ask->'within', '[]')) as needed
            where not imaging.reaches(needed, facility, provider, patient)
        ) then imaging.refuse('forbidden')
    end
$$;

-- imaging.issue_number: a number that people can type, unique in the whole database
create or replace function imaging.issue_number(prefix text) returns text
language sql volatile
as $$ select prefix || lpad(nextval('imaging.numbers')::text, 10, '0') $$;

-- imaging.merge_sealed: the sealed fields of a row after a change; a field that was cleared is gone
create or replace function imaging.merge_sealed(sealed jsonb, change jsonb) returns jsonb
language sql immutable
as $$ select jsonb_strip_nulls(sealed || coalesce(change, '{}')) $$;
