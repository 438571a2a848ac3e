-- Files that a person has to decide about: what they state, what was decided, and what an organization wants done with
-- images that nobody ordered.

alter table imaging.uploads
    -- As the file states them: a late order or study finds by these what waits for it.
    add column patient_id text,
    add column accession_number text,
    add column study_instance_uid text,
    add column sop_instance_uid text,
    -- {"action", "studyId", "reasons", …}: what a person decided, in force whenever the upload is taken up until the next.
    add column resolution jsonb;

create index uploads_in_conflict on imaging.uploads (organization, accession_number) where status = 'CONFLICT';
create index uploads_in_conflict_of_study on imaging.uploads (organization, study_instance_uid)
 where status = 'CONFLICT';
create index uploads_of_study on imaging.uploads (organization, study_id, id desc) where study_id is not null;

alter table imaging.studies
    -- Who issued the patient id, as the first file that names one says.
    add column issuer_of_patient_id text;

-- An organization's domain::IngestSettings, in every version that was ever in force. The newest is.
create table imaging.ingest_settings (
    organization text not null check (organization <> '*'),
    version integer not null,
    document jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null,
    primary key (organization, version)
);

alter table imaging.ingest_settings enable row level security;
alter table imaging.ingest_settings force row level security;
create policy own_organization on imaging.ingest_settings using (organization = imaging.organization());
