-- Reports that are written, signed and amended here, and every version of them.

create schema reports;

alter table imaging.reports
    -- Who wrote what it says now, and who signed it, as their tokens name them; signed_by is how the name is shown.
    add column written_by text not null,
    add column signed_by_id text,
    drop constraint reports_signed,
    -- Each status has what belongs to it, and nothing else.
    add constraint reports_state check (case status
        when 'PRELIMINARY' then
            preliminary_date is not null
            and num_nonnulls(finalized_date, signed_by, signed_by_id, signed_at, amended_date) = 0
            and not sealed ? 'amendmentReason'
        when 'FINAL' then
            num_nulls(finalized_date, signed_by, signed_by_id, signed_at) = 0
            and amended_date is null
            and not sealed ? 'amendmentReason'
        else
            num_nulls(finalized_date, signed_by, signed_by_id, signed_at, amended_date) = 0
            and sealed ? 'amendmentReason'
    end),
    add constraint reports_signed_by_their_radiologist check (signed_by_id = radiologist_id),
    add constraint reports_with_their_texts check (sealed ?& array['findings', 'impression']);

create index reports_of_radiologist on imaging.reports (organization, radiologist_id, id desc);

-- A report as it was at each of its versions, also after it is deleted: a row has the columns that the report has, and
-- what is sealed opens for the report. A column that is added there is added here.
create table imaging.report_versions (like imaging.reports including constraints);

alter table imaging.report_versions rename column id to report_id;
alter table imaging.report_versions
    add primary key (organization, report_id, content_version),
    add foreign key (organization, study_id) references imaging.studies (organization, id);

create function imaging.refuse_to_change_a_version() returns trigger
language plpgsql
as $$
begin
    raise exception 'a version of a report stays as it was written';
end
$$;

create trigger report_versions_stay before update or delete or truncate on imaging.report_versions
    for each statement execute function imaging.refuse_to_change_a_version();

alter table imaging.report_versions enable row level security;
alter table imaging.report_versions force row level security;
create policy own_organization on imaging.report_versions using (organization = imaging.organization());
