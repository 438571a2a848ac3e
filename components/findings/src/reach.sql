-- findings.reaches: whether a caller's reach covers a finding: by its study, or because the caller was told of it
create or replace function findings.reaches(reach jsonb, f imaging.findings, s imaging.studies) returns boolean
language sql immutable
as $$
    select imaging.reaches(reach, s.facility_id, s.provider_id, s.patient_id)
        or coalesce(reach->>'told' = any(f.notified_to), false)
$$;

-- findings.refused_row: imaging.refused_row for a finding
create or replace function findings.refused_row(ask jsonb, f imaging.findings, s imaging.studies) returns jsonb
language sql immutable
as $$
    select case
        when not findings.reaches(ask->'reach', f, s) then imaging.refuse('not_found')
        when exists (
            select from jsonb_array_elements(coalesce(ask->'within', '[]')) as needed
            where not findings.reaches(needed, f, s)
        ) then imaging.refuse('forbidden')
    end
$$;

-- findings.was_told: whether the caller was told of a finding of a study, and may therefore read what the study is
create or replace function findings.was_told(reach jsonb, s imaging.studies) returns boolean
language sql stable
as $$
    select exists (
        select from imaging.findings f
         where f.organization = s.organization and f.study_id = s.id and reach->>'told' = any(f.notified_to))
$$;

-- findings.told_report: whether the caller was told of a finding of a report: of one that is tied to it or, once the
-- report is signed, of one of its study that is tied to none
create or replace function findings.told_report(reach jsonb, r imaging.reports) returns boolean
language sql stable
as $$
    select exists (
        select from imaging.findings f
         where f.organization = r.organization and f.study_id = r.study_id and reach->>'told' = any(f.notified_to)
           and (f.report_id = r.id or (f.report_id is null and r.signed_at is not null)))
$$;
