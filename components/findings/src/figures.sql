-- findings.figures: how well the findings that were reported in a period are acknowledged, by severity and of all. In
-- time are those that were acknowledged by their deadline, of all that were acknowledged or whose deadline has passed.
create or replace function findings.figures(cx jsonb, ask jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    until timestamptz := coalesce((ask->>'to')::timestamptz, imaging.clock());
    since timestamptz := coalesce((ask->>'from')::timestamptz, until - interval '30 days');
    figures jsonb;
begin
    perform imaging.enter(cx);
    with counted as (
        select f.severity,
               f.acknowledged_at is not null as acknowledged,
               coalesce(f.acknowledged_at <= f.due_at, false) as in_time,
               f.acknowledged_at is null and f.due_at < imaging.clock() as overdue,
               extract(epoch from f.acknowledged_at - f.reported_at) / 60 as minutes,
               (select count(*) from imaging.escalations e
                 where e.organization = f.organization and e.finding_id = f.id
                   and e.kind = 'LEVEL' and e.fired_at is not null) as escalations
          from imaging.findings f
          join imaging.studies s on s.organization = f.organization and s.id = f.study_id
         where f.organization = cx->>'organization' and f.reported_at between since and until
           and findings.reaches(ask->'reach', f, s)
    ), summed as (
        select listed.severity,
               jsonb_build_object(
                   'raised', count(c.severity),
                   'acknowledged', count(*) filter (where c.acknowledged),
                   'acknowledgedInTime', count(*) filter (where c.in_time),
                   'percentInTime', round(100.0 * count(*) filter (where c.in_time)
                       / nullif(count(*) filter (where c.acknowledged or c.overdue), 0), 1),
                   'medianMinutes', round(percentile_cont(0.5) within group (order by c.minutes)::numeric, 1),
                   'p95Minutes', round(percentile_cont(0.95) within group (order by c.minutes)::numeric, 1),
                   'escalations', coalesce(sum(c.escalations), 0),
                   'open', count(*) filter (where not c.acknowledged),
                   'openPastDeadline', count(*) filter (where c.overdue)) as sums
          from jsonb_array_elements_text(ask->'severities') as listed(severity)
          left join counted c on c.severity = listed.severity
         group by grouping sets ((listed.severity), ())
    )
    select jsonb_build_object(
               'from', imaging.iso(since),
               'to', imaging.iso(until),
               'severities', jsonb_object_agg(severity, sums) filter (where severity is not null),
               'total', jsonb_agg(sums) filter (where severity is null)->0)
      into figures
      from summed;

    perform audit.append(cx, 'finding.figures', 'finding', null, null, '{}');
    return imaging.done(figures);
end
$$;
