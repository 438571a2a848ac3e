-- The tables of the imaging service. The tool that runs this has made the roles, and acts as imaging_owner.
-- Every key begins with the organization, so that no row can point across; every table forces row level security.

create schema imaging;
create schema audit;
create schema outbox;
create schema orders;
create schema studies;
create schema images;
create schema ingest;
create schema portal;

-- The organization that the running function acts for; '*' for a task that works across all of them.
create function imaging.organization() returns text
language sql stable
as $$ select nullif(current_setting('imaging.organization', true), '') $$;

-- A test of one database may set its clock forward.
create table imaging.clock_shift (
    shift interval not null
);

create sequence imaging.numbers;

create table imaging.orders (
    organization text not null check (organization <> '*'),
    id uuid not null,
    order_number text not null,
    accession_number text not null check (length(accession_number) between 1 and 16),
    patient_id text not null,
    provider_id text not null,
    facility_id text not null,
    priority text not null check (priority in ('STAT', 'URGENT', 'ROUTINE')),
    modality text not null
        check (modality in ('CR', 'CT', 'MR', 'US', 'XA', 'DX', 'MG', 'NM', 'PT', 'PET_CT', 'RF', 'OT')),
    body_part text not null,
    urgency text,
    transport_required boolean not null default false,
    contrast_allergy boolean not null default false,
    status text not null
        check (status in ('PENDING', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'ON_HOLD')),
    scheduled_at timestamptz,
    requested_by text not null,
    requested_at timestamptz not null,
    -- clinicalIndication instructions contrastNotes statusReason
    sealed jsonb not null default '{}',
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    constraint orders_order_number unique (organization, order_number),
    constraint orders_accession_number unique (organization, accession_number)
);

create index orders_of_patient on imaging.orders (organization, patient_id, id desc);
create index orders_of_provider on imaging.orders (organization, provider_id, id desc);
create index orders_of_facility on imaging.orders (organization, facility_id, id desc);
create index orders_by_status on imaging.orders (organization, status, id desc);
create index orders_by_time on imaging.orders (organization, requested_at);

create table imaging.studies (
    organization text not null check (organization <> '*'),
    id uuid not null,
    order_id uuid,
    facility_id text not null,
    -- The ordering provider: whose study it is. Nobody's, when images came without an order.
    provider_id text,
    accession_number text not null check (length(accession_number) between 1 and 16),
    study_instance_uid text not null check (length(study_instance_uid) between 1 and 64),
    -- The UID was made up here: the first file that arrives under the accession number brings the real one.
    study_instance_uid_issued boolean not null,
    study_date timestamptz not null,
    study_time text,
    study_description text,
    modality text not null
        check (modality in ('CR', 'CT', 'MR', 'US', 'XA', 'DX', 'MG', 'NM', 'PT', 'PET_CT', 'RF', 'OT')),
    body_part text not null,
    number_of_series integer not null default 0 check (number_of_series >= 0),
    number_of_instances integer not null default 0 check (number_of_instances >= 0),
    patient_id text not null,
    -- Keyed digests of what is sealed, for comparing.
    patient_name_digest text,
    patient_birth_date_digest text,
    performing_physician text,
    operator_name text,
    institution_name text,
    station_name text,
    priority text check (priority in ('STAT', 'URGENT', 'ROUTINE')),
    status text not null
        check (status in ('SCHEDULED', 'ARRIVED', 'IN_PROGRESS', 'COMPLETED', 'PRELIMINARY', 'FINAL', 'CANCELLED')),
    -- Images came after the report was written: its reader has to look again.
    images_after_report_at timestamptz,
    -- patientName patientDOB patientSex statusReason
    sealed jsonb not null default '{}',
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    foreign key (organization, order_id) references imaging.orders (organization, id),
    constraint studies_study_instance_uid unique (organization, study_instance_uid),
    constraint studies_accession_number unique (organization, accession_number)
);

create index studies_of_order on imaging.studies (organization, order_id, id desc);
create index studies_of_patient on imaging.studies (organization, patient_id, id desc);
create index studies_of_provider on imaging.studies (organization, provider_id, id desc);
create index studies_of_facility on imaging.studies (organization, facility_id, id desc);
create index studies_by_status on imaging.studies (organization, status, id desc);
create index studies_by_date on imaging.studies (organization, study_date);

-- One row for each upload that was offered, and what became of it. Its id names the blob.
create table imaging.uploads (
    organization text not null check (organization <> '*'),
    id uuid not null,
    blob text not null,
    status text not null check (status in
        ('EXPECTED', 'RECEIVED', 'STORED', 'DUPLICATE', 'CONFLICT', 'QUARANTINED', 'EXPIRED')),
    reason text,
    -- Where images without an order belong: the uploader's first facility.
    facility_id text not null,
    offered_to text not null,
    -- What was announced, or what was found.
    image_id uuid,
    study_id uuid,
    announced_sop_instance_uid text,
    -- The names of the fields in which the file and what we know differ; never their values.
    differences text[] not null default '{}',
    size bigint check (size >= 0),
    content_md5 text,
    attempts integer not null default 0,
    -- How often in a row it was taken up, and nothing came of it, not even a failure.
    unreturned integer not null default 0,
    expires_at timestamptz not null,
    -- When storage was last asked whether it has arrived; in the future, when it is to be left alone until then.
    asked_at timestamptz not null,
    received_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    constraint uploads_id unique (id)
);

create index uploads_by_status on imaging.uploads (organization, status, id desc);
-- What the sweep looks at, across organizations.
create index uploads_expected on imaging.uploads (asked_at) where status = 'EXPECTED';
create index uploads_received on imaging.uploads (updated_at) where status = 'RECEIVED';

create table imaging.images (
    organization text not null check (organization <> '*'),
    id uuid not null,
    study_id uuid not null,
    upload_id uuid not null,
    blob text not null,
    status text not null check (status in ('EXPECTED', 'STORED')),
    series_instance_uid text not null check (length(series_instance_uid) between 1 and 64),
    sop_instance_uid text not null check (length(sop_instance_uid) between 1 and 64),
    sop_class_uid text,
    transfer_syntax_uid text,
    series_number integer not null,
    instance_number integer not null,
    -- As the file states them, under the names of the contract: imageType, rows, pixelSpacing and so on.
    attributes jsonb not null default '{}',
    thumbnail_url text,
    file_size bigint check (file_size >= 0),
    content_md5 text,
    -- metadata
    sealed jsonb not null default '{}',
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    foreign key (organization, study_id) references imaging.studies (organization, id),
    foreign key (organization, upload_id) references imaging.uploads (organization, id),
    constraint images_sop_instance_uid unique (organization, sop_instance_uid)
);

create index images_of_study on imaging.images
    (organization, study_id, series_number, series_instance_uid, instance_number, id);

-- Blobs that nothing points at any more, and when they may go.
create table imaging.removals (
    organization text not null check (organization <> '*'),
    blob text not null,
    image_id uuid not null,
    removed_by text not null,
    due_at timestamptz not null,
    created_at timestamptz not null,
    primary key (organization, blob)
);

create index removals_due on imaging.removals (due_at);

create table imaging.reports (
    organization text not null check (organization <> '*'),
    id uuid not null,
    report_number text not null,
    study_id uuid not null,
    radiologist_id text not null,
    radiologist_name text not null,
    status text not null check (status in ('PRELIMINARY', 'FINAL', 'AMENDED', 'CORRECTED')),
    -- Every text of the report, amendmentReason and macros.
    sealed jsonb not null default '{}',
    preliminary_date timestamptz,
    finalized_date timestamptz,
    amended_date timestamptz,
    signed_by text,
    signed_at timestamptz,
    transcribed_by text,
    transcribed_at timestamptz,
    template text,
    content_version integer not null default 1,
    content_hash text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    foreign key (organization, study_id) references imaging.studies (organization, id),
    constraint reports_report_number unique (organization, report_number),
    constraint reports_signed check ((status = 'PRELIMINARY') = (signed_by is null) and (signed_by is null) = (signed_at is null))
);

create index reports_of_study on imaging.reports (organization, study_id, id desc);

create table imaging.findings (
    organization text not null check (organization <> '*'),
    id uuid not null,
    study_id uuid not null,
    report_id uuid,
    severity text not null check (severity in ('CRITICAL', 'HIGH', 'MODERATE', 'LOW')),
    category text not null,
    body_part text,
    reported_by text not null,
    reported_at timestamptz not null,
    acknowledged_by text,
    acknowledged_at timestamptz,
    follow_up_required boolean not null default true,
    follow_up_status text,
    status text not null check (status in ('OPEN', 'NOTIFIED', 'ACKNOWLEDGED', 'CLOSED')),
    due_at timestamptz not null,
    source text not null check (source in ('RADIOLOGIST', 'DICOM')),
    -- finding notes followUpAction readBack
    sealed jsonb not null default '{}',
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (organization, id),
    foreign key (organization, study_id) references imaging.studies (organization, id),
    foreign key (organization, report_id) references imaging.reports (organization, id)
);

create index findings_of_study on imaging.findings (organization, study_id, id desc);

-- Who did what to which resource. Written in the same call as the act, and never changed.
create table imaging.audit_events (
    organization text not null check (organization <> '*'),
    id bigint generated always as identity,
    at timestamptz not null,
    actor text not null,
    role text not null,
    action text not null,
    outcome text not null check (outcome in ('SUCCESS', 'REFUSED')),
    resource text not null,
    resource_id uuid,
    resource_version integer,
    patient_ids text[] not null default '{}',
    -- {"<table>": {"statusReason": …}}, sealed for the resource
    sealed jsonb not null default '{}',
    source text,
    request_id text not null,
    trace text,
    primary key (organization, id)
);

create index audit_events_of_patient on imaging.audit_events using gin (patient_ids);
create index audit_events_of_resource on imaging.audit_events (organization, resource, resource_id);

-- What other systems have to be told. Names things by id only.
create table imaging.outbox (
    organization text not null check (organization <> '*'),
    id bigint generated always as identity,
    topic text not null,
    resource text not null,
    resource_id uuid not null,
    resource_version integer not null,
    state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'DEAD')),
    attempts integer not null default 0,
    due_at timestamptz not null,
    created_at timestamptz not null,
    primary key (organization, id)
);

create index outbox_due on imaging.outbox (due_at) where state = 'PENDING';

do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'imaging' and tablename <> 'clock_shift' loop
        execute format('alter table imaging.%I enable row level security', name);
        execute format('alter table imaging.%I force row level security', name);
        execute format(
            'create policy own_organization on imaging.%I using (organization = imaging.organization())', name);
    end loop;
end
$$;

-- A task that works through the uploads of every organization says so, and then acts for one at a time.
create policy every_organization on imaging.uploads using (imaging.organization() = '*');

-- It holds no organization, but it holds to the rule: row level security is forced on every table.
alter table imaging.clock_shift enable row level security;
alter table imaging.clock_shift force row level security;
create policy everybody on imaging.clock_shift using (true);
