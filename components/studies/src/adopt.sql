-- studies.adopt: the study that images made before there was this order is the order's from now on, and takes it to where
-- it is itself. "followed" is what orders.follow_study has to know for a study in progress and for a completed one.
create or replace function studies.adopt(cx jsonb, o imaging.orders, ask jsonb) returns void
language plpgsql volatile
as $$
declare
    s imaging.studies;
begin
    update imaging.studies
       set order_id = o.id,
           provider_id = o.provider_id,
           facility_id = o.facility_id,
           priority = coalesce(priority, o.priority),
           version = version + 1,
           updated_at = imaging.clock()
     where organization = o.organization and accession_number = o.accession_number and order_id is null
       and patient_id = o.patient_id
    returning * into s;
    if not found then
        return;
    end if;
    if not ask->'beforeImages' ? s.status and s.status <> 'CANCELLED' then
        perform orders.follow_study(cx, o.id, ask->'followed'->0);
    end if;
    if ask->'settled' ? s.status then
        perform orders.follow_study(cx, o.id, ask->'followed'->1);
    end if;
    perform audit.append(cx, 'study.adopt', 'study', s.id, s.version, array[s.patient_id]);
    perform outbox.append(cx, 'study.changed', 'study', s.id, s.version);
end
$$;
