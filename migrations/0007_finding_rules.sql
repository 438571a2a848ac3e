-- Findings that structured reports state, and the rules by which an organization has them raised.

alter table imaging.findings
    -- Where a finding of a file comes from: {"sopInstanceUID", "rule", "images", …}. What it states is sealed, its code too.
    add column dicom jsonb,
    -- Raised::key of the domain: the same however often the file comes.
    add column dicom_key text,
    add constraint findings_dicom check (
        (source = 'DICOM') = (dicom is not null) and (source = 'DICOM') = (dicom_key is not null)),
    add constraint findings_once unique (organization, study_id, dicom_key);

-- An organization's domain::FindingRules, in every version that was ever in force. The newest is.
create table imaging.finding_rules (
    organization text not null check (organization <> '*'),
    version integer not null,
    document jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null,
    primary key (organization, version)
);

alter table imaging.finding_rules enable row level security;
alter table imaging.finding_rules force row level security;
create policy own_organization on imaging.finding_rules using (organization = imaging.organization());
