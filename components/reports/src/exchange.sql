-- reports.exchanged: a report as domain::fhir makes a DiagnosticReport of it
create or replace function reports.exchanged(r imaging.reports) returns jsonb
language sql stable
as $$
    select reports.document(r) || jsonb_build_object(
        'study', studies.summary(s),
        'order', orders.named(s.organization, s.order_id))
      from imaging.studies s
     where s.organization = r.organization and s.id = r.study_id
$$;

-- reports.called: the reports that an identifier may mean (domain::fhir::Called)
create or replace function reports.called(owner text, called jsonb) returns uuid[]
language sql stable
as $$
    select array(
        select r.id from imaging.reports r
         where called->'kinds' ? 'report-number' and r.organization = owner and r.report_number = called->>'value')
$$;
